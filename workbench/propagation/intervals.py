"""Interval arithmetic through a graph: the cheapest sound bounds, and they take infinite ends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.graph import Graph
from workbench.graph.rules import Affine, Dense, Identity, Linearised, LinearMap
from workbench.math.region import SLACK
from workbench.math.relaxations import Relaxation, relaxation
from workbench.propagation import room

Interval = tuple[Tensor, Tensor]
"""Least and greatest value, each `(B, n)`."""


@dataclass(frozen=True, eq=False)
class Sum:
    """y = sum_i A_i x_i + c, matrices in float64 (None is the identity).

    `least`: of y, where that is what M computes from there on alone.
    """

    name: str
    inputs: tuple[int, ...]
    matrices: tuple[Tensor | None, ...]
    offset: Tensor | None
    least: Tensor | None = None

    def __call__(self, *inputs: Interval) -> Interval:
        """Bounds on the value, from those on its inputs."""
        parts = [_map(a, *ends) for a, ends in zip(self.matrices, inputs, strict=True)]
        least, most, low, high = (torch.stack(x).sum(0) for x in zip(*parts, strict=True))
        if self.offset is not None:
            c, size = self.offset, self.offset.abs()
            least, most, low, high = least + c, most + c, low + size, high + size
        return least - SLACK * low, most + SLACK * high


@dataclass(frozen=True)
class Curve:
    """y = f(x), elementwise."""

    name: str
    inputs: tuple[int, ...]
    row: Relaxation

    def __call__(self, *inputs: Interval) -> Interval:
        """Bounds on the value, from those on its input."""
        return self.row.range(*inputs[0])


Move = Sum | Curve


def moves(graph: Graph, input_dim: int, dtype: torch.dtype) -> list[Move]:
    """What nodes 1, 2, ... do, as bounds see it; `dtype` is that of the model.

    Raises:
        Unsupported: at an operation that is only known approximately; where the matrices would take
            too much memory.
    """
    room.for_matrices(graph, input_dim)
    found: list[Move] = []
    rules, widths = graph.rules(input_dim), graph.widths(input_dim)
    for node, rule in zip(graph.nodes[1:], rules, strict=True):
        if isinstance(rule, Linearised):
            raise Unsupported(
                f"bounds of {type(node.op).__name__} at {node.name!r}",
                "affine and elementwise operations are needed",
            )
        if isinstance(rule, Affine):
            pairs = zip(rule.maps, node.inputs, strict=True)
            matrices = tuple(_matrix(a, widths[j], dtype) for a, j in pairs)
            offset = None
            if rule.offset is not None:
                offset = rule.offset.detach().double().expand(widths[len(found) + 1])
            least = None if rule.least is None else rule.least.double()
            found.append(Sum(node.name, node.inputs, matrices, offset, least))
        else:
            found.append(Curve(node.name, node.inputs, relaxation(rule.row)))
    return found


def head(last: int, a: Tensor, b: Tensor) -> Sum:
    """The margins a y + b of a network whose output is value `last`."""
    return Sum("the spec", (last,), (a.detach().double(),), b.detach().double())


def _matrix(a: LinearMap, n: int, dtype: torch.dtype) -> Tensor | None:
    if isinstance(a, Identity):
        return None
    matrix = a.matrix if isinstance(a, Dense) else a(torch.eye(n, dtype=dtype)).T
    return matrix.detach().double()


def intervals(path: list[Move], low: Tensor, high: Tensor) -> list[Interval]:
    """Bounds on every value for inputs between `low` and `high`, each `(B, d)` in float64.

    Each end is moved outward by `SLACK` of the magnitudes in its sum, which covers rounding. The
    last value is unbounded where the path is not M.
    """
    found: list[Interval] = [(low, high)]
    for move in path:
        found.append(move(*(found[j] for j in move.inputs)))
    astray = strays(path, dict(enumerate(found)))[:, None]
    low, high = found[-1]
    found[-1] = low.masked_fill(astray, -math.inf), high.masked_fill(astray, math.inf)
    return found


def strays(path: list[Move], found: Mapping[int, Interval]) -> Tensor:
    """Where values may lie at which the path is not what M computes: `(B,)`."""
    low, _ = next(iter(found.values()))
    astray = low.new_zeros(len(low), dtype=torch.bool)
    for i, move in enumerate(path, 1):
        if isinstance(move, Sum) and move.least is not None and i in found:
            astray |= (found[i][0] < move.least).any(1)
    return astray


def _map(m: Tensor | None, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Least and greatest m x, and the sums of the finite magnitudes that make them up.

    Infinite ends are counted apart, so that 0 times infinity is 0.
    """
    ends = torch.stack([low, high])
    open_ = torch.isinf(ends)
    finite = ends.masked_fill(open_, 0.0)
    if m is None:
        return low, high, finite[0].abs(), finite[1].abs()
    x = torch.cat([finite, finite.abs(), open_.to(ends)])
    up, down = x @ m.clamp(min=0.0).T, x @ m.clamp(max=0.0).T
    least = (up[0] + down[1]).masked_fill(up[4] - down[5] > 0, -math.inf)
    most = (up[1] + down[0]).masked_fill(up[5] - down[4] > 0, math.inf)
    return least, most, up[2] - down[3], up[3] - down[2]
