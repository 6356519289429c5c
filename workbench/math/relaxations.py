"""Ranges and linear bounds of activation functions on an interval.

On l <= x <= u there are two lines that hold f between them,

    lower_slope x + lower_offset  <=  f(x)  <=  upper_slope x + upper_offset,

from which linear bounds of whole networks are composed (Zhang et al. 2018, arXiv 1811.00866; Singh
et al. 2019). Both lines have the slope of the chord, and their offsets are the extremes of
f(x) - slope x, attained at an end, at a corner or where f'(x) = slope: between two `turns` of f at
one place at most, found by bisection. ReLU and the steps have lines of their own: for ReLU the
lower one is y = 0 or y = x, whichever leaves the smaller triangle. Where an end is infinite the
lines are flat.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from workbench.math import activations
from workbench.math.activations import Activation

_SLACK = 8.0 * torch.finfo(torch.float64).eps
_HALVINGS = 56
_FAR = 1e300
"""Stands for infinity in f, whose own value there may be NaN."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Two lines around a function, elementwise; all of one shape."""

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor


class Relaxation(ABC):
    """Bounds of an elementwise function on intervals; l and u in float64."""

    @abstractmethod
    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Least and greatest f on [low, high], rounded outward; ends may be infinite."""

    @abstractmethod
    def chord(self, low: Tensor, high: Tensor) -> Lines:
        """Lines for finite low <= high."""

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        """Lines on [low, high]; flat where an end is infinite."""
        finite = torch.isfinite(low) & torch.isfinite(high)
        found = self.chord(torch.where(finite, low, 0.0), torch.where(finite, high, 0.0))
        least, most = self.range(low, high)
        return Lines(
            torch.where(finite, found.lower_slope, 0.0),
            torch.where(finite, found.lower_offset, least),
            torch.where(finite, found.upper_slope, 0.0),
            torch.where(finite, found.upper_offset, most),
        )


@dataclass(frozen=True)
class ReLU(Relaxation):
    """max(x, 0): above the chord from (l, 0) to (u, u), below y = 0 or y = x."""

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return low.clamp(min=0.0), high.clamp(min=0.0)

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        zero = torch.zeros_like(low)
        split = (low < 0) & (high > 0)
        slope = torch.where(split, high / torch.where(split, high - low, 1.0), (low >= 0).to(low))
        rises = torch.where(split, high > -low, low >= 0).to(low)
        above = torch.where(split, -slope * low * (1.0 + _SLACK), zero)
        return Lines(rises, zero, slope, above)


@dataclass(frozen=True)
class Heaviside(Relaxation):
    """1 where x > 0, else 0: flat lines."""

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return (low > 0).to(low), (high > 0).to(high)

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        bottom, top = self.range(low, high)
        zero = torch.zeros_like(low)
        return Lines(zero, bottom, zero, top)


@dataclass(frozen=True)
class Sign(Heaviside):
    """1 where x > 0, -1 where x < 0, and anything between them at 0: flat lines."""

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(low)
        return torch.where(low > 0, one, -one), torch.where(high < 0, -one, one)


@dataclass(frozen=True)
class Curved(Relaxation):
    """Any other function: both lines along the chord."""

    row: Activation

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        low, high = low.clamp(-_FAR, _FAR), high.clamp(-_FAR, _FAR)
        flat = [torch.full_like(low, x).clamp(low, high) for x in _stationary(self.row)]
        values = self.row(torch.stack([low, high, *flat]))
        values = torch.where(values.abs() < 1e-10 * _FAR, values, torch.inf * values)
        least, most = values.amin(0), values.amax(0)
        reach = self.row.reach
        return (
            (least - self._slack(least.abs())).clamp(*reach),
            (most + self._slack(most.abs())).clamp(*reach),
        )

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        wide = high - low > 1e-6
        rise = self.row(high) - self.row(low)
        slope = torch.where(wide, rise / torch.where(wide, high - low, 1.0), 0.0)
        places = torch.stack([low, high, *_level(self.row, slope, low, high)])
        values, along = self.row(places), slope * places
        slack = 1e-14 + self._slack((values.abs() + along.abs()).amax(0))
        gaps = values - along
        return Lines(slope, gaps.amin(0) - slack, slope, gaps.amax(0) + slack)

    def _slack(self, size: Tensor) -> Tensor:
        """What rounding may do to a value of this size."""
        return _SLACK * (1.0 + torch.where(torch.isfinite(size), size, 0.0)) + self.row.rounding


def _level(row: Activation, slope: Tensor, low: Tensor, high: Tensor) -> list[Tensor]:
    """Points of [low, high]: the turns of f, and where f' is `slope` between each two of them."""
    turns = [torch.full_like(low, t).clamp(low, high) for t in row.turns]
    found = list(turns)
    for start, stop in pairwise([low, *turns, high]):
        # At a corner f' has two values: which way it goes is asked just inside.
        inset = 1e-6 * (stop - start)
        rises = row.derivative(stop - inset) > row.derivative(start + inset)
        a, b = start, stop
        for _ in range(_HALVINGS):
            mid = 0.5 * (a + b)
            ahead = (row.derivative(mid) < slope) == rises
            a, b = torch.where(ahead, mid, a), torch.where(ahead, b, mid)
        found.append(0.5 * (a + b))
    return found


@lru_cache(maxsize=256)
def _stationary(row: Activation) -> tuple[float, ...]:
    """Where f may turn between rising and falling, if at all."""
    if row.rises:
        return ()
    ends = torch.tensor([-60.0, 60.0], dtype=torch.float64)
    return tuple(float(x) for x in _level(row, ends.new_zeros(()), *ends))


_OWN: dict[type[Activation], Relaxation] = {
    activations.ReLU: ReLU(), activations.Heaviside: Heaviside(), activations.Sign: Sign(),
}  # fmt: skip


def relaxation(row: Activation) -> Relaxation:
    """The bounds of an activation."""
    return _OWN.get(type(row)) or Curved(row)
