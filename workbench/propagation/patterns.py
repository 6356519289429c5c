"""Symmetric tensors by the ways in which their places coincide."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from workbench.propagation.diagrams import Vector

LETTERS = "abcd"


def slice_of(x: Tensor, block: Vector) -> Tensor:
    """kappa of a block: entry (a, b, ..) has index a block[0] times, b block[1] times, ..

    Orders of 0 are left out: `(*B, n, .., n)` with an axis for every other order.
    """
    used = [(c, k) for c, k in zip(LETTERS, block, strict=False) if k]
    if all(k == 1 for _, k in used):
        return x
    names = "".join(c * k for c, k in used)
    return torch.einsum(f"...{names}->...{''.join(c for c, _ in used)}", x)


def spread(x: Tensor, axes: list[int], d: int) -> Tensor:
    """A tensor on some axes of d, with length 1 on the others."""
    for axis in reversed(range(d)):
        if axis not in axes:
            x = x.unsqueeze(axis - d)
    return x


def symmetric(parts: Mapping[Vector, Tensor]) -> Tensor:
    """The symmetric tensor `(*B, n, .., n)` with entries parts[pattern][the different indices].

    Args:
        parts: for every pattern of coinciding places, in decreasing order, a tensor with an axis a
            different index; what it has where these coincide does not matter.
    """
    patterns = tuple(parts)
    d, n = sum(patterns[0]), parts[patterns[0]].shape[-1]
    lead = torch.broadcast_shapes(*(x.shape[: -len(p)] for p, x in parts.items()))
    rows = [x.expand(*lead, *x.shape[-len(p) :]).flatten(-len(p)) for p, x in parts.items()]
    return torch.cat(rows, -1)[..., _where(n, patterns).to(rows[0].device)].unflatten(-1, (n,) * d)


@cache
def _where(n: int, patterns: tuple[Vector, ...]) -> Tensor:
    """For every entry of the tensor, its place among the parts put end to end."""
    d = sum(patterns[0])
    index = torch.cartesian_prod(*[torch.arange(n)] * d)
    offsets, at = {}, 0
    for p in patterns:
        offsets[p], at = at, at + n ** len(p)
    found = torch.empty(len(index), dtype=torch.long)
    for groups in _partitions(d):
        groups = sorted(groups, key=len, reverse=True)
        firsts = index[:, [g[0] for g in groups]]
        same = torch.ones(len(index), dtype=torch.bool)
        for g in groups:
            same &= (index[:, list(g)] == index[:, g[:1]]).all(1)
        for i in range(len(groups)):
            same &= (firsts[:, i : i + 1] != firsts[:, i + 1 :]).all(1)
        place = torch.zeros(len(index), dtype=torch.long)
        for i in range(len(groups)):
            place = place * n + firsts[:, i]
        found[same] = place[same] + offsets[tuple(len(g) for g in groups)]
    return found


def _partitions(d: int) -> list[list[tuple[int, ...]]]:
    """All ways to put d places into groups."""
    if d == 0:
        return [[]]
    found = []
    for rest in _partitions(d - 1):
        found.append([*rest, (d - 1,)])
        for i in range(len(rest)):
            found.append([*rest[:i], (*rest[i], d - 1), *rest[i + 1 :]])
    return found
