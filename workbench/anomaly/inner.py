"""One node of M: its law under D, its value on inputs, and the rest of M behind it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Moments
from workbench.errors import BadInput, Unsupported
from workbench.graph import Elementwise, Graph, Input, Node, activations_of
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.specs import Polyhedral

_NOTHING = 1e-9  # of the greatest variance: a direction along which the value does not move


@dataclass(frozen=True, eq=False)
class Inner:
    """The value h of a node that everything after it goes through.

    Args:
        problem: whose M it is of.
        layer: its number in M's graph; 0 is the input.
        after: M from h on.
        mean: `(n,)`, propagated E h under D.
        root: `(n, k)`, R with Cov h = R R^T; k directions along which h moves at all.
        unroot: `(n, k)`, with w = (h - mean) @ unroot white.
        normals: `(r, outputs)`, and offsets `(r,)`: the margins are M(x) @ normals.T + offsets.
    """

    problem: Problem
    layer: int
    after: Graph
    mean: Tensor
    root: Tensor
    unroot: Tensor
    normals: Tensor
    offsets: Tensor

    def value(self, x: Tensor) -> Tensor:
        """h `(batch, n)`."""
        return activations_of(self.problem.graph, x)[self.layer]

    def whiten(self, h: Tensor) -> Tensor:
        """w `(batch, k)`: mean 0 and covariance I under D, as propagated."""
        return (h - self.mean) @ self.unroot

    def margins(self, h: Tensor) -> Tensor:
        """s `(batch, r)` of h `(batch, n)`."""
        return activations_of(self.after, h)[-1] @ self.normals.T + self.offsets


def hidden_layers(graph: Graph) -> list[int]:
    """Numbers of the nodes behind activations that everything after them goes through."""
    return [
        i
        for i, node in enumerate(graph.nodes[:-1])
        if isinstance(node.op, Elementwise) and _bypassed(graph, i) is None
    ]


@torch.no_grad()
def inner(problem: Problem, layer: int) -> Inner:
    """The node `layer` of a problem's M. D has a single piece and C is polyhedral.

    Raises:
        BadInput: where there is no such node before the last.
        Unsupported: where a later value bypasses it, or M cannot be read.
    """
    graph, d, c = problem.graph, problem.distribution, problem.spec
    assert isinstance(d, Moments) and isinstance(c, Polyhedral)
    if isinstance(layer, bool) or not 0 <= layer < len(graph.nodes) - 1:
        raise BadInput(
            f"an explanation stands at one of the nodes 0 to {len(graph.nodes) - 2}, got {layer!r}"
        )
    name = _bypassed(graph, layer)
    if name is not None:
        raise Unsupported(
            f"an explanation at node {layer}", f"{name!r} reads what lies before it: use layer 0"
        )
    piece = d.pieces()[0]
    if layer:
        n = graph.widths(d.dim)[layer]
        eye = torch.eye(n, dtype=piece.mean.dtype)
        law, _ = Covariance(order=40).law(Graph(graph.nodes[: layer + 1]), piece, eye, 0.0 * eye[0])
        mean, cov = law.mean, law.cov
    else:
        mean, cov = piece.mean, torch.diag(piece.cov) if piece.uncorrelated else piece.cov
    values, vectors = torch.linalg.eigh(cov)
    moves = values > _NOTHING * values.max()
    vectors, sd = vectors[:, moves], values[moves].sqrt()
    event = c.halfspaces(problem.outputs, mean)
    return Inner(
        problem, layer, _after(graph, layer), mean, vectors * sd, vectors / sd, event.a, event.b
    )


def _bypassed(graph: Graph, layer: int) -> str | None:
    """Name of a later node that reads a value before the layer, None where there is none."""
    for node in graph.nodes[layer + 1 :]:
        if any(i < layer for i in node.inputs):
            return node.name
    return None


def _after(graph: Graph, layer: int) -> Graph:
    later = [
        Node(n.name, n.op, tuple(i - layer for i in n.inputs)) for n in graph.nodes[layer + 1 :]
    ]
    return Graph((Node("the layer", Input(), ()), *later))
