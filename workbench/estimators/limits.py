"""On which networks estimates from the weights were measured to be no good, in words."""

import math
from itertools import pairwise

from workbench.distributions import Box
from workbench.graph import Elementwise, MaxPool, Node, Norm
from workbench.graph.operations import OF_PRODUCTS, Recurrent
from workbench.graph.operations.softmax import in_tree
from workbench.problem import Problem

WIDTHS = 32, 64, 128, 256
DEEPEST = {
    "covariance": (2, 4, 11, 31),
    "augmented": (3, 6, 12, 20),
    "cumulant": (3, 8, 14, 20),
}
"""Activation layers up to which propagation knows the output means of bias-free random ReLU
networks of these widths better than sampling for the same CPU time (6 to 10 networks, one thread).
"""
NARROW, LEAST = 96, 4
SELDOM, NORMAL, UNUSUAL = (math.log(p) for p in (0.1, 0.03, 0.01))
FEW = 16
"""Values that a normalisation should go over at least: covariances behind random ones of 16 were
off by a tenth of the outputs' spread, of 8 by a quarter, of 4 by most of it (test_layer_norm)."""


def _hidden(problem: Problem) -> list[int]:
    graph = problem.graph
    widths = graph.widths(problem.distribution.dim)
    each = zip(widths, graph.nodes, strict=True)
    return [w for w, n in each if isinstance(n.op, Elementwise) and not in_tree(n.op)]


def deepest(propagator: str, width: int) -> int:
    """`DEEPEST`, linear between the measured widths and in proportion beyond; 1 for all others.

    Behind one activation layer every propagator has exact means.
    """
    if propagator not in DEEPEST:
        return 1
    points = [(0, 0), *zip(WIDTHS, DEEPEST[propagator], strict=True)]
    for (a, low), (b, high) in pairwise(points):
        if width <= b:
            return max(1, int(low + (high - low) * (width - a) / (b - a)))
    return int(points[-1][1] * width / points[-1][0])


def too_deep(problem: Problem, propagator: str) -> str:
    """Said of networks on which sampling of equal time was measured to win; else empty."""
    hidden = _hidden(problem)
    if not hidden or len(hidden) <= deepest(propagator, min(hidden)):
        return ""
    return (
        f"{len(hidden)} activation layers of width {min(hidden)} are too deep for this "
        "propagation: on random ReLU networks of this shape, sampling for the same time gives "
        "better means of the outputs"
    )


def too_narrow(problem: Problem, log_p: float, tail: str) -> str:
    """Said of tails behind few inputs or neurons, whose sums are not near enough to Gaussian."""
    hidden = _hidden(problem)
    width = min([problem.distribution.dim, *hidden])
    if hidden and width < LEAST:
        return (
            f"after a layer of width {width} a margin need not be near Gaussian, however likely C "
            "is: of 60 random small networks four were misjudged by 0.3 to 1.1 digits at a P of "
            "0.002 to 0.05, all with 1 to 3 inputs: compare with `conditioned` or a sampler"
        )
    if not hidden or width > NARROW or log_p > (NORMAL if tail == "gaussian" else UNUSUAL):
        return ""
    return (
        f"after a layer of width {width} a margin is too far from Gaussian for this tail: on "
        "random ReLU networks with 4 to 16 inputs, at a P of 1e-3, the error was 0.3 to 1.7 digits "
        "in the median, with third cumulants 0.1 to 0.5: compare with `conditioned` or a sampler"
    )


def unmeasured(problem: Problem, log_p: float) -> str:
    """Said of tails behind activations on which propagated moments were not measured."""
    other = sorted({_bend(node) for node in problem.graph.nodes} - {"", "relu"})
    if not other or log_p > UNUSUAL:
        return ""
    return (
        f"the error of a tail from moments was measured after ReLU alone; after "
        f"{' and '.join(other)} it may be digits: compare with `conditioned` or a sampler"
    )


def _bend(node: Node) -> str:
    """What a node that is not affine is called; empty for the others."""
    if isinstance(node.op, Norm):
        return type(node.op).__name__
    if not isinstance(node.op, Elementwise):
        return ""
    if in_tree(node.op):
        return "softmax"
    squared = node.part is not None and node.op.activation == "square"
    return "products" if squared else node.op.activation


def few_normalised(problem: Problem) -> str:
    """Said of normalisations over so few values that no affine map is near them; else empty."""
    norms = [(node.op, node.inputs[0]) for node in problem.graph.nodes if isinstance(node.op, Norm)]
    if not norms:
        return ""
    shapes = problem.graph.shapes(problem.distribution.dim)
    n, name = min((op.values(shapes[i]), type(op).__name__) for op, i in norms)
    if n >= FEW:
        return ""
    return (
        f"{name} over {n} values is taken for an affine map, which is rough below {FEW}: ask "
        "`conditioned` or a sampler too"
    )


def tangled(problem: Problem, propagator: str) -> str:
    """Said of third cumulants behind sums of many products, of which they are not whole."""
    wholes = {type(n.part.whole) for n in problem.graph.nodes if n.part}
    if propagator in ("mean", "covariance") or not wholes & {*OF_PRODUCTS}:
        return ""
    return (
        "third cumulants behind products of matrices are not carried whole: on small networks with "
        "attention the propagator `covariance` was nearer"
    )


def stepwise(problem: Problem, log_p: float) -> str:
    """Said of tails behind recurrent layers and attention; else empty."""
    wholes = [n.part.whole for n in problem.graph.nodes if n.part]
    if log_p > NORMAL or not wholes:
        return ""
    if any(isinstance(w, Recurrent) for w in wholes):
        return (
            "states of a recurrent layer are presumed Gaussian at every step, which may be digits "
            "off in the tail: ask `conditioned` or a sampler too"
        )
    if any(isinstance(w, OF_PRODUCTS) for w in wholes):
        return (
            "products of matrices, as in attention, are presumed Gaussian, which may be digits off "
            "in the tail: ask `conditioned` or a sampler too"
        )
    return ""


def bounded(problem: Problem, log_p: float) -> str:
    """Said of tails of an input that has none; else empty."""
    if not isinstance(problem.distribution, Box) or log_p > SELDOM:
        return ""
    return (
        "inputs from a box have no Gaussian tails: on small linear models, where P was 1e-5 to "
        "1e-9, the answer was 2 to 4 digits too high"
    )


def pools(problem: Problem) -> int:
    """How many max poolings the network has, as far as it can be read."""
    parts = [node.part for node in problem.graph.nodes] if problem.readable else []
    return sum(p is not None and p.last and isinstance(p.whole, MaxPool) for p in parts)


def pooled(count: int) -> str:
    """Said of lines behind several max poolings; else empty."""
    if count < 2:
        return ""
    return (
        f"behind {count} max poolings the answer may be too low, by more than the lines' spread "
        "tells: on ten problems of five random networks with two it lacked 0.1 to 1.2 digits"
    )
