"""Ranges and linear bounds of activation functions on an interval, one row each.

On l <= x <= u a row gives two lines that hold f between them,

    lower_slope x + lower_offset  <=  f(x)  <=  upper_slope x + upper_offset,

from which linear bounds of whole networks are composed (Zhang et al. 2018, arXiv 1811.00866; Singh
et al. 2019). For smooth f both lines have the slope of the chord, and their offsets are the
extremes of f(x) - slope x, attained at an end or where f'(x) = slope. For ReLU the lower line is
y = 0 or y = x, whichever leaves the smaller triangle. Where an end is infinite the lines are flat.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import Unsupported
from workbench.math.gaussian import cdf, pdf

_SLACK = 8.0 * torch.finfo(torch.float64).eps
_GELU_LEAST_AT = -0.7517915246935645  # where Phi(x) + x phi(x) = 0
_GELU_LEAST = -0.16997120747990369


@dataclass(frozen=True, eq=False)
class Lines:
    """Two lines around a function, elementwise; all of one shape."""

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor


class Relaxation(ABC):
    """One row of the table: bounds of an elementwise function on intervals; l and u in float64."""

    name: ClassVar[str]

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

    name: ClassVar[str] = "relu"

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

    name: ClassVar[str] = "heaviside"
    least: ClassVar[float] = 0.0

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        bottom, top = torch.full_like(low, self.least), torch.ones_like(high)
        return torch.where(low > 0, top, bottom), torch.where(high > 0, top, bottom)

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        bottom, top = self.range(low, high)
        zero = torch.zeros_like(low)
        return Lines(zero, bottom, zero, top)


@dataclass(frozen=True)
class Sign(Heaviside):
    """1 where x > 0, -1 where x < 0, and anything between them at 0: flat lines."""

    name: ClassVar[str] = "sign"
    least: ClassVar[float] = -1.0

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(low)
        return torch.where(low > 0, one, -one), torch.where(high < 0, -one, one)


class _Smooth(Relaxation):
    """Both lines along the chord; offsets by the critical points of f(x) - slope x."""

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """f(x)."""

    @abstractmethod
    def critical(self, slope: Tensor) -> tuple[Tensor, ...]:
        """All x with f'(x) = slope; anything where there is none."""

    def chord(self, low: Tensor, high: Tensor) -> Lines:
        wide = high - low > 1e-6
        rise = self.value(high) - self.value(low)
        slope = torch.where(wide, rise / torch.where(wide, high - low, 1.0), 0.0)
        places = [low, high, *(c.clamp(low, high) for c in self.critical(slope))]
        gaps = torch.stack([self.value(x) - slope * x for x in places])
        size = torch.stack([self.value(x).abs() + (slope * x).abs() for x in places]).amax(0)
        slack = 1e-14 + _SLACK * size
        return Lines(slope, gaps.amin(0) - slack, slope, gaps.amax(0) + slack)


@dataclass(frozen=True)
class Tanh(_Smooth):
    """tanh: f' = k at x = +-atanh(sqrt(1 - k))."""

    name: ClassVar[str] = "tanh"

    def value(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        least = torch.tanh(low) - _SLACK
        return least.clamp(min=-1.0), (torch.tanh(high) + _SLACK).clamp(max=1.0)

    def critical(self, slope: Tensor) -> tuple[Tensor, ...]:
        x = torch.atanh(torch.sqrt((1.0 - slope).clamp(0.0, 1.0 - 1e-16)))
        return x, -x


@dataclass(frozen=True)
class GELU(_Smooth):
    """x Phi(x): f' = Phi + x phi falls, rises and falls again, turning at -sqrt 2 and sqrt 2."""

    name: ClassVar[str] = "gelu"

    def value(self, x: Tensor) -> Tensor:
        return F.gelu(x)

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        # F.gelu(-inf) is NaN; its limit there is 0.
        a = torch.where(torch.isneginf(low), 0.0, F.gelu(low.clamp(min=-1e300)))
        b = torch.where(torch.isneginf(high), 0.0, F.gelu(high.clamp(min=-1e300)))
        inside = (low <= _GELU_LEAST_AT) & (high >= _GELU_LEAST_AT)
        least = torch.where(inside, _GELU_LEAST, torch.minimum(a, b))
        most = torch.maximum(a, b)
        return least - _SLACK * (1.0 + least.abs()), most + _SLACK * (1.0 + most.abs())

    def critical(self, slope: Tensor) -> tuple[Tensor, ...]:
        root = math.sqrt(2.0)
        ends = ((-40.0, -root, False), (-root, root, True), (root, 40.0, False))
        found = []
        for start, stop, rises in ends:
            a, b = torch.full_like(slope, start), torch.full_like(slope, stop)
            for _ in range(56):
                mid = 0.5 * (a + b)
                ahead = (cdf(mid) + mid * pdf(mid) < slope) == rises
                a, b = torch.where(ahead, mid, a), torch.where(ahead, b, mid)
            found.append(0.5 * (a + b))
        return tuple(found)


RELAXATIONS: dict[str, Relaxation] = {
    row.name: row for row in (ReLU(), GELU(), Tanh(), Sign(), Heaviside())
}


def relaxation(name: str) -> Relaxation:
    """The row called `name`. Raises `Unsupported` with the known names."""
    if name not in RELAXATIONS:
        raise Unsupported(
            f"bounds of the activation {name!r}", f"known rows are {', '.join(RELAXATIONS)}"
        )
    return RELAXATIONS[name]
