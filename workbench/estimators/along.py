"""Integrals of phi(t) exp(-V) over the part of many lines that lies in C.

On a grid of t both V and the margin are presumed linear between neighbours, so that a cell's share
is a difference of normal distribution functions in closed form: exact where V is affine along the
line, and with every interval that a line spends in C counted, not only the last. An error of
h^2 V'' / 12 of a cell remains where V bends, and of the crossing where the margin does.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.math.gaussian import log_cdf
from workbench.math.logspace import log_sub, log_sum

_NOWHERE = -math.inf


def log_integral(
    value: Callable[[Tensor], tuple[Tensor, Tensor]], lines: Tensor, unit: Tensor, grid: Tensor
) -> Tensor:
    """log of the integral of phi(t) exp(-V(w + t u)) 1[s(w + t u) > 0] over every line, `(n,)`.

    Args:
        value: V and s, each `(m,)`, of points `(m, d)`; with a graph where one is wanted.
        lines: w, `(n, d)`.
        unit: u, `(d,)`.
        grid: increasing t `(g,)`; what lies beyond its ends is left out.
    """
    n, g = len(lines), len(grid)
    v, s = (x.reshape(n, g) for x in value(places(lines, unit, grid)))
    return integrated(v, s, grid)


def places(lines: Tensor, unit: Tensor, grid: Tensor) -> Tensor:
    """Points `(n g, d)` of a grid `(g,)`, or `(n, g)`, on lines `(n, d)` along u `(d,)`."""
    return (lines[:, None, :] + grid[..., None] * unit).reshape(-1, lines.shape[-1])


def integrated(v: Tensor, s: Tensor, grid: Tensor) -> Tensor:
    """The same from V and s at the places of the grid, `(n, g)` each; the grid may be so too."""
    low, high = grid[..., :-1], grid[..., 1:]
    width = high - low
    steep = (v[:, 1:] - v[:, :-1]) / width
    level = v[:, :-1] - steep * low
    first, last = s[:, :-1], s[:, 1:]
    gap = torch.where(last == first, 1.0, last - first)
    cross = low - torch.where(last == first, 0.0, first) * width / gap
    start = torch.where(first > 0, low, cross)
    end = torch.where(last > 0, high, cross)
    inside = ((first > 0) | (last > 0)) & (end > start)
    # exp(-level - steep t) phi(t) = exp(-level + steep^2 / 2) phi(t + steep).
    a = torch.where(inside, start + steep, -1.0)
    b = torch.where(inside, end + steep, 1.0)
    flip = a > 0  # the upper tail as a lower one, where it keeps its digits
    a, b = torch.where(flip, -b, a), torch.where(flip, -a, b)
    share = log_sub(log_cdf(b), log_cdf(a)) - level + 0.5 * steep.square()
    return log_sum(torch.where(inside, share, _NOWHERE))
