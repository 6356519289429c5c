"""Interval arithmetic through a graph: the cheapest sound bounds, and they take infinite ends."""

import math

import torch
from torch import Tensor

from workbench.graph import Graph
from workbench.math.region import SLACK
from workbench.math.relaxations import relaxation
from workbench.propagation.rules import Affine, Dense, Identity, LinearMap, describe

Interval = tuple[Tensor, Tensor]
"""Least and greatest value, each `(B, n)`."""


def matrix_of(a: LinearMap) -> Tensor | None:
    """The matrix of a linear map in float64, None where it is the identity."""
    if isinstance(a, Identity):
        return None
    assert isinstance(a, Dense)
    return a.matrix.detach().double()


def intervals(graph: Graph, low: Tensor, high: Tensor) -> list[Interval]:
    """Bounds on every node's value for inputs between `low` and `high`, each `(B, d)` in float64.

    Each end is moved outward by `SLACK` of the magnitudes in its sum, which covers rounding.
    """
    found: list[Interval] = [(low, high)]
    for node in graph.nodes[1:]:
        what = describe(node.op)
        inputs = [found[j] for j in node.inputs]
        if isinstance(what, Affine):
            found.append(affine(what, inputs))
        else:
            found.append(relaxation(what.row.name).range(*inputs[0]))
    return found


def affine(what: Affine, inputs: list[Interval]) -> Interval:
    """Bounds on sum_i A_i x_i + c."""
    parts = [_map(matrix_of(a), *ends) for a, ends in zip(what.maps, inputs, strict=True)]
    least, most, size_low, size_high = (sum(x[1:], x[0]) for x in zip(*parts, strict=True))
    if what.offset is not None:
        c = what.offset.detach().double()
        size = c.abs()
        least, most, size_low, size_high = least + c, most + c, size_low + size, size_high + size
    return least - SLACK * size_low, most + SLACK * size_high


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
