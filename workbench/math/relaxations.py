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

import math
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
_OVERFLOWS = 600.0
"""Where bounds of exp give up: exp(709) is the last that float64 holds."""
_FINE = 1e4
"""Up to where bounds know the phase of a wave."""
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


@dataclass(frozen=True)
class Exponential(Curved):
    """exp(x): as any other, flat where it would overflow."""

    def lines(self, low: Tensor, high: Tensor) -> Lines:
        return super().lines(low, torch.where(high > _OVERFLOWS, torch.inf, high))


@dataclass(frozen=True)
class Wave(Relaxation):
    """sin or cos: both lines along the chord up to one turn around, flat beyond.

    With a slope s, f(x) - s x is least and greatest at an end or where f' = s, which is +-arccos(s)
    and all whole turns from there (a quarter turn further on for cos).

    Args:
        row: the function.
        shift: f(x) = sin(x + shift).
    """

    row: Activation
    shift: float

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        known = (high - low < 2.0 * math.pi) & (low.abs() < _FINE) & (high.abs() < _FINE)
        a, b = torch.where(known, low, 0.0), torch.where(known, high, 0.0)
        values = self.row(torch.stack([a, b]))
        tops, bottoms = (self._has(a, b, p) for p in (0.5 * math.pi, -0.5 * math.pi))
        slack = _SLACK * (1.0 + torch.maximum(a.abs(), b.abs()))
        least = torch.where(bottoms | ~known, -1.0, values.amin(0) - slack)
        most = torch.where(tops | ~known, 1.0, values.amax(0) + slack)
        return least.clamp(min=-1.0), most.clamp(max=1.0)

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        least, most = self.range(low, high)
        width = high - low
        wide = (width > 1e-6) & (width < 2.0 * math.pi)
        wide &= (low.abs() < _FINE) & (high.abs() < _FINE)
        a, b = torch.where(wide, low, 0.0), torch.where(wide, high, 1.0)
        slope = ((self.row(b) - self.row(a)) / (b - a)).clamp(-1.0, 1.0)
        places = [a, b]
        for side in (1.0, -1.0):
            first = side * torch.arccos(slope) - self.shift
            first = first + 2.0 * math.pi * torch.ceil((a - first) / (2.0 * math.pi))
            places.append(first.clamp(a, b))
        x = torch.stack(places)
        gaps = self.row(x) - slope * x
        slack = 1e-14 + _SLACK * (1.0 + 2.0 * torch.maximum(a.abs(), b.abs()))
        flat = torch.zeros_like(slope)
        return Lines(
            torch.where(wide, slope, flat), torch.where(wide, gaps.amin(0) - slack, least),
            torch.where(wide, slope, flat), torch.where(wide, gaps.amax(0) + slack, most),
        )  # fmt: skip

    def _has(self, low: Tensor, high: Tensor, phase: float) -> Tensor:
        """Whether x + shift is `phase`, up to whole turns, somewhere in the interval, or nearly."""
        near = 1e-9
        turns = (low + self.shift - phase - near) / (2.0 * math.pi)
        return 2.0 * math.pi * torch.ceil(turns) <= high + self.shift - phase + near


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
    activations.Exp: Exponential(activations.Exp()),
    activations.Sin: Wave(activations.Sin(), 0.0),
    activations.Cos: Wave(activations.Cos(), 0.5 * math.pi),
}  # fmt: skip


def relaxation(row: Activation) -> Relaxation:
    """The bounds of an activation."""
    return _OWN.get(type(row)) or Curved(row)
