"""The same question in another guise: problems whose P follows from that of a given one."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.distributions import Box, Conditional, Distribution, Gaussian, Gibbs, Mixture, varied
from workbench.errors import Unsupported
from workbench.graph import Computed, Constant, Elementwise, Graph, Linear, Ref
from workbench.models import Network, Shift, Sum, chain, dense
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import And, Halfspaces, Or, Polyhedral, Polytope, Spec


def permuted(problem: Problem, seed: int = 0) -> Problem:
    """Hidden neurons renamed: rows of one Linear and columns of the next, shuffled alike.

    Raises:
        Unsupported: where no activation stands between two Linear of its own.
    """
    model = copy.deepcopy(problem.model)
    graph = graphs.read(model, problem.distribution.dim)
    places = [i for i in range(len(graph.nodes)) if _between_linears(graph, i)]
    if not places:
        raise Unsupported(
            f"renaming the neurons of {type(model).__name__}",
            "an activation between two Linear is needed",
        )
    for i in places:
        before = _linear(graph, graph.nodes[i].inputs[0])
        order = torch.randperm(
            before.weight.shape[0], generator=Rng(seed).child("order", i).generator()
        )
        _set(before, "weight", before.weight[order])
        if before.bias is not None:
            _set(before, "bias", before.bias[order])
        for j in _readers(graph, i):
            after = _linear(graph, j)
            _set(after, "weight", after.weight[:, order])
    return replace(problem, model=model, truth=None)


def _readers(graph: Graph, i: int) -> list[int]:
    return [j for j, node in enumerate(graph.nodes) if i in node.inputs]


def _linear(graph: Graph, i: int) -> Linear:
    op = graph.nodes[i].op
    assert isinstance(op, Linear)
    return op


def _between_linears(graph: Graph, i: int) -> bool:
    node = graph.nodes[i]
    if not isinstance(node.op, Elementwise) or i == len(graph.nodes) - 1:
        return False
    (source,) = node.inputs
    chain_ = [source, *_readers(graph, i)]
    linears = [graph.nodes[j].op for j in chain_]
    if not all(isinstance(op, Linear) for op in linears) or _readers(graph, source) != [i]:
        return False
    # A weight that stands in several places cannot be shuffled in one of them.
    held = [v for n in graph.nodes for v in vars(n.op).values() if isinstance(v, Constant)]
    refs = [r for r in held if isinstance(r, Ref)]
    if any(isinstance(c, Computed) for c in held):
        return False  # of what, is not known
    mine = [op.weight_ref for op in linears if isinstance(op, Linear)]
    return all(
        sum(r.owner is m.owner and r.name == m.name for r in refs) == 1
        for m in mine
        if isinstance(m, Ref)
    )


@torch.no_grad()
def _set(op: Linear, name: str, value: Tensor) -> None:
    ref = op.weight_ref if name == "weight" else op.bias_ref
    assert isinstance(ref, Ref)
    value = value.T if name == "weight" and op.turned else value
    setattr(ref.owner, ref.name, nn.Parameter(value.detach().clone(), requires_grad=False))


def shifted(problem: Problem, seed: int = 0) -> Problem:
    """D moved by -c and a bias c put before M: x' = x - c, M'(x') = M(x' + c)."""
    d = problem.distribution
    c = torch.randn(d.dim, generator=Rng(seed).child("bias").generator(), dtype=torch.float64)
    c = c.to(d.dtype)
    model = chain([Shift(c), problem.model])
    moved = varied(d, 1.0, -c)
    if isinstance(moved, Conditional | Gibbs):  # what weighs the base goes along
        moved = replace(moved, network=chain([Shift(c), moved.network]))
    return replace(problem, distribution=moved, model=model, truth=None)


def with_irrelevant(problem: Problem, count: int = 3) -> Problem:
    """`count` more coordinates of x, independent of the others, which M does not read."""
    d = problem.distribution
    select = torch.cat([torch.eye(d.dim), torch.zeros(d.dim, count)], 1).to(d.dtype)
    model = chain([dense(select), problem.model])
    return replace(problem, distribution=_beside(d, _unit(d, count)), model=model, truth=None)


def doubled(problem: Problem) -> Problem:
    """Two independent copies at once; C where both fail: P becomes P^2.

    Raises:
        Unsupported: where C is not made of half-spaces.
    """
    d, c, k = problem.distribution, problem.spec, problem.outputs
    if not isinstance(c, Polyhedral):
        raise Unsupported(f"two copies of the spec {c.name!r}", "half-spaces in y are needed")
    n = d.dim
    eye, out = torch.eye(2 * n).to(d.dtype), torch.eye(2 * k).to(d.dtype)
    parts = [
        dense(eye[:n]), dense(eye[n:]), problem.model, copy.deepcopy(problem.model),
        dense(out[:, :k].contiguous()), dense(out[:, k:].contiguous()), Sum(),
    ]  # fmt: skip
    model = Network(parts, [[0], [0], [1], [2], [3], [4], [5, 6]])
    event = c.halfspaces(k, eye)
    both = And((_lifted(event, 0, k), _lifted(event, k, 0)))
    return replace(problem, distribution=_beside(d, d), model=model, spec=both, truth=None)


def _lifted(event: Halfspaces, before: int, after: int) -> Spec:
    """The event in a longer y, with so many outputs before and after its own."""
    a = nn.functional.pad(event.a.detach(), (before, after))
    clauses = [Polytope(a[list(c)], event.b.detach()[list(c)]) for c in event.clauses]
    return clauses[0] if len(clauses) == 1 else Or(tuple(clauses))


def mixed(problem: Problem, seed: int = 0) -> tuple[Problem, Problem]:
    """Half of D as it is and half of it moved by a standard deviation; and the moved half alone.

    Raises:
        Unsupported: where D is neither a gaussian nor a mixture.
    """
    d = problem.distribution
    parts, weights = _components(d)
    unit = torch.randn(d.dim, generator=Rng(seed).child("move").generator(), dtype=torch.float64)
    unit = (unit / unit.norm()).to(d.dtype)
    offset = parts[0].push(unit[None])[0] - parts[0].mean
    other = varied(d, 1.0, offset)
    moved, _ = _components(other)
    whole = Mixture(torch.cat([weights, weights]), (*parts, *moved))
    return problem.vary(distribution=whole), problem.vary(distribution=other)


def _components(d: Distribution) -> tuple[tuple[Gaussian, ...], Tensor]:
    match d:
        case Gaussian():
            return (d,), torch.ones(1, dtype=d.dtype)
        case Mixture():
            return d.components, d.weights.detach()
        case _:
            raise Unsupported(
                f"a mixture of {d.name!r}", "a gaussian or a mixture of them is needed"
            )


def _unit(d: Distribution, count: int) -> Distribution:
    """Standard coordinates of the kind that can stand beside D."""
    zero, one = torch.zeros(count, dtype=d.dtype), torch.ones(count, dtype=d.dtype)
    return Box(zero, one) if isinstance(d, Box) else Gaussian(zero, one)


def _beside(a: Distribution, b: Distribution) -> Distribution:
    """Independent x of law a and x' of law b, as one."""
    match a, b:
        case Box(), Box():
            return Box(torch.cat([a.low, b.low]), torch.cat([a.high, b.high]))
        case Gaussian(), Gaussian():
            mean = torch.cat([a.mean, b.mean])
            if a.diagonal and b.diagonal:
                return Gaussian(mean, torch.cat([a.scale, b.scale]))
            full = [torch.diag(g.scale) if g.diagonal else g.scale for g in (a, b)]
            return Gaussian(mean, torch.block_diag(*full))
        case ((Gaussian() | Mixture()), (Gaussian() | Mixture())):
            (ones, w), (others, v) = _components(a), _components(b)
            pairs = [_beside(x, y) for x in ones for y in others]
            parts = tuple(p for p in pairs if isinstance(p, Gaussian))
            return Mixture(torch.outer(w, v).flatten(), parts)
        case _:
            raise Unsupported(
                f"independent copies of {a.name!r}", "a gaussian, a mixture or a box is needed"
            )
