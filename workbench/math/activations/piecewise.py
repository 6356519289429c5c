"""Piecewise linear activations, in closed form: a straight line and a ReLU at every corner."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.activations.base import Activation, segment_powers
from workbench.math.activations.relu import ReLU


class PiecewiseLinear(Activation):
    """f(x) = u + v_0 x + sum_j (v_j - v_{j-1}) relu(x - c_j), c_1 < c_2 < ... its corners."""

    @property
    @abstractmethod
    def corners(self) -> tuple[float, ...]:
        """c_1, c_2, ..."""

    @property
    @abstractmethod
    def slopes(self) -> tuple[float, ...]:
        """v_0, v_1, ...: of every segment, from the left."""

    @property
    def turns(self) -> tuple[float, ...]:
        return self.corners

    @property
    def rises(self) -> bool:
        return min(self.slopes) >= 0.0

    def derivative(self, x: Tensor) -> Tensor:
        slopes = torch.tensor(self.slopes, dtype=x.dtype, device=x.device)
        corners = torch.tensor(self.corners, dtype=x.dtype, device=x.device)
        return slopes[torch.bucketize(x.detach(), corners)]

    @property
    def _lines(self) -> list[tuple[float, float]]:
        """(u, v) with f(x) = u + v x, for every segment."""
        corner = self.corners[0]
        at = float(self(torch.tensor(corner, dtype=torch.float64)))
        found = [(at - self.slopes[0] * corner, self.slopes[0])]
        for c, v in zip(self.corners, self.slopes[1:], strict=True):
            u, before = found[-1]
            found.append((u + (before - v) * c, v))
        return found

    def _bends(self) -> list[tuple[float, float]]:
        """(c_j, v_j - v_{j-1})."""
        steps = zip(self.corners, pairwise(self.slopes), strict=True)
        return [(c, after - before) for c, (before, after) in steps]

    def mean(self, mu: Tensor, sigma: Tensor) -> Tensor:
        u, v = self._lines[0]
        total = u + v * mu
        for c, bend in self._bends():
            total = total + bend * ReLU().mean(mu - c, sigma)
        return total

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean(mu, sigma)
        # Around the mean, segment by segment, nothing cancels where f saturates.
        var = self.powers(mu, sigma, mean, 2, 0)[2, 0]
        return mean, torch.clamp(var, min=0.0)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        total = torch.zeros((order, *mu.shape), dtype=mu.dtype, device=mu.device)
        for c, bend in self._bends():
            total = total + bend * ReLU().coefficients(mu - c, sigma, order)
        first = self.slopes[0] * sigma.expand_as(mu)
        return torch.cat([total[:1] + first, total[1:]])

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        return segment_powers(mu, sigma, centre, self.corners, self._lines, degree, order)


@dataclass(frozen=True)
class LeakyReLU(PiecewiseLinear):
    """x above 0, negative_slope x below."""

    negative_slope: float = 0.01
    name: ClassVar[str] = "leaky_relu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.LeakyReLU

    @property
    def corners(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def slopes(self) -> tuple[float, ...]:
        return self.negative_slope, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)


@dataclass(frozen=True)
class Hardtanh(PiecewiseLinear):
    """x, but no less than min_val and no more than max_val: `clamp`, and ReLU6 with 0 and 6."""

    min_val: float = -1.0
    max_val: float = 1.0
    name: ClassVar[str] = "hardtanh"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Hardtanh

    def __post_init__(self) -> None:
        if not self.min_val < self.max_val:
            raise BadInput(
                f"hardtanh needs a min_val below its max_val, got {self.min_val!r} and "
                f"{self.max_val!r}"
            )

    @property
    def corners(self) -> tuple[float, ...]:
        return self.min_val, self.max_val

    @property
    def slopes(self) -> tuple[float, ...]:
        return 0.0, 1.0, 0.0

    @property
    def reach(self) -> tuple[float, float]:
        return self.min_val, self.max_val

    def __call__(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, self.min_val, self.max_val)


@dataclass(frozen=True)
class Hardsigmoid(PiecewiseLinear):
    """0 below -3, 1 above 3, (x + 3) / 6 between."""

    name: ClassVar[str] = "hardsigmoid"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Hardsigmoid

    @property
    def corners(self) -> tuple[float, ...]:
        return -3.0, 3.0

    @property
    def slopes(self) -> tuple[float, ...]:
        return 0.0, 1.0 / 6.0, 0.0

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.hardsigmoid(x)


@dataclass(frozen=True)
class Softshrink(PiecewiseLinear):
    """x moved towards 0 by lambd, and 0 where |x| is less."""

    lambd: float = 0.5
    name: ClassVar[str] = "softshrink"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Softshrink

    def __post_init__(self) -> None:
        if not self.lambd > 0.0:
            raise BadInput(f"softshrink needs a lambd above 0, got {self.lambd!r}")

    @property
    def corners(self) -> tuple[float, ...]:
        return -self.lambd, self.lambd

    @property
    def slopes(self) -> tuple[float, ...]:
        return 1.0, 0.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.softshrink(x, self.lambd)


@dataclass(frozen=True)
class Abs(PiecewiseLinear):
    """|x|."""

    name: ClassVar[str] = "abs"

    @property
    def corners(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def slopes(self) -> tuple[float, ...]:
        return -1.0, 1.0

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return x.abs()


@dataclass(frozen=True)
class ClampMin(PiecewiseLinear):
    """x, but no less than min: `clamp` from below."""

    min: float = 0.0
    name: ClassVar[str] = "clamp_min"

    @property
    def corners(self) -> tuple[float, ...]:
        return (self.min,)

    @property
    def slopes(self) -> tuple[float, ...]:
        return 0.0, 1.0

    @property
    def reach(self) -> tuple[float, float]:
        return self.min, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return x.clamp(min=self.min)


@dataclass(frozen=True)
class ClampMax(PiecewiseLinear):
    """x, but no more than max: `clamp` from above."""

    max: float = 0.0
    name: ClassVar[str] = "clamp_max"

    @property
    def corners(self) -> tuple[float, ...]:
        return (self.max,)

    @property
    def slopes(self) -> tuple[float, ...]:
        return 1.0, 0.0

    @property
    def reach(self) -> tuple[float, float]:
        return -math.inf, self.max

    def __call__(self, x: Tensor) -> Tensor:
        return x.clamp(max=self.max)
