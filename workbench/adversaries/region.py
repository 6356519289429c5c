"""Trust regions: how far D may go from D0."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.adversaries import ride
from workbench.adversaries.divergence import Nats, relative_entropy
from workbench.distributions import Distribution, Gaussian
from workbench.errors import BadInput, Unsupported
from workbench.rng import Rng


@dataclass(frozen=True)
class Region(ABC):
    """A limit on D; subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]
    grows: ClassVar[bool] = True
    """Whether a search opens it bit by bit, so that its path is a frontier."""
    holds: ClassVar[tuple[str, ...]] = ()
    """The families that it can hold, by name; none named: every one."""

    @abstractmethod
    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        """What D spends, in units of `limit`; carries the graph."""

    @property
    @abstractmethod
    def limit(self) -> float:
        """What may be spent; inf where spending has a price instead, or something else a limit."""

    def pull(self, spent: Callable[[Tensor], Nats], theta: Tensor) -> Tensor:
        """theta `(p,)` brought to the edge of the region."""
        return theta if math.isinf(self.limit) else ride.onto_edge(spent, theta, self.limit)

    def stride(self, theta: Tensor, gain: Tensor, share: float, turn: int) -> Tensor | None:
        """The next theta where the region has a rule of its own; None where an optimiser steps.

        Args:
            theta: `(p,)`.
            gain: gradient of log P, `(p,)`.
            share: of its size that the region has now.
            turn: steps since it has its full size.
        """
        return None

    @property
    def price(self) -> float:
        """Fixed price of a nat, 0 where there is a limit."""
        return 0.0


@dataclass(frozen=True)
class KL(Region):
    """KL(D || D0) <= nats.

    Args:
        nats: kappa, above 0.
    """

    nats: float = 4.0
    name: ClassVar[str] = "kl"

    def __post_init__(self) -> None:
        _positive("kl: nats", self.nats)

    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        return relative_entropy(d, d0, rng)

    @property
    def limit(self) -> float:
        return self.nats


@dataclass(frozen=True)
class Penalty(Region):
    """No limit, but every nat costs: the objective is log P_D[C] - cost KL(D || D0).

    Args:
        cost: lambda, above 0.
    """

    cost: float = 1.0
    name: ClassVar[str] = "penalty"
    grows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _positive("penalty: cost", self.cost)

    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        return relative_entropy(d, d0, rng)

    @property
    def limit(self) -> float:
        return math.inf

    @property
    def price(self) -> float:
        return self.cost


@dataclass(frozen=True)
class Ball(Region):
    """|E_D[x] - E_D0[x]| <= radius in units of D0's spread; for Gaussian D and D0.

    What it spends is half the square, so that for a shift alone it agrees with `KL`.

    Args:
        radius: above 0.
    """

    radius: float = 2.0
    name: ClassVar[str] = "ball"

    def __post_init__(self) -> None:
        _positive("ball: radius", self.radius)

    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        return Nats(0.5 * _shift(d, d0).square().sum())

    @property
    def limit(self) -> float:
        return 0.5 * self.radius**2


@dataclass(frozen=True)
class Cube(Region):
    """A box around the mean of D0: |m_i| <= half_width for the shift m, in units of D0's spread.

    For a shift alone, and a Gaussian D0. Steps are those of Frank & Wolfe (1956): towards the
    corner half_width sign(gradient), by 2 / (turn + 2) of the way. For affine M and a half-space C
    with normal w (in noise) the first reaches the optimum m = half_width sign(w). What it spends
    is told in nats, |m|^2 / 2, and limited by the box alone.

    Args:
        half_width: above 0.
    """

    half_width: float = 0.5
    name: ClassVar[str] = "box"
    holds: ClassVar[tuple[str, ...]] = ("shifted",)

    def __post_init__(self) -> None:
        _positive("box: half_width", self.half_width)

    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        return relative_entropy(d, d0, rng)

    @property
    def limit(self) -> float:
        return math.inf

    def pull(self, spent: Callable[[Tensor], Nats], theta: Tensor) -> Tensor:
        return theta.clamp(-self.half_width, self.half_width)

    def stride(self, theta: Tensor, gain: Tensor, share: float, turn: int) -> Tensor | None:
        corner = share * self.half_width * torch.sign(gain)
        return theta + 2.0 / (turn + 2.0) * (corner - theta)


def _shift(d: Distribution, d0: Distribution) -> Tensor:
    if not (isinstance(d, Gaussian) and isinstance(d0, Gaussian)):
        raise Unsupported(
            f"the shift of a {d.name} from a {d0.name}", "two gaussians are needed", ["kl"]
        )
    return d0.pull(d.mean[None])[0]


def _positive(what: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise BadInput(f"{what} must be a number above 0, got {value!r}")
