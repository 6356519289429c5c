"""Trust regions: how far D may go from D0."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.adversaries.divergence import Nats, relative_entropy
from workbench.distributions import Distribution, Gaussian
from workbench.errors import BadInput, Unsupported
from workbench.rng import Rng


@dataclass(frozen=True)
class Region(ABC):
    """A limit on D; subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]

    @abstractmethod
    def spent(self, d: Distribution, d0: Distribution, rng: Rng) -> Nats:
        """What D spends, in units of `limit`; carries the graph."""

    @property
    @abstractmethod
    def limit(self) -> float:
        """What may be spent; inf where spending has a price instead."""

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


def _shift(d: Distribution, d0: Distribution) -> Tensor:
    if not (isinstance(d, Gaussian) and isinstance(d0, Gaussian)):
        raise Unsupported(
            f"the shift of a {d.name} from a {d0.name}", "two gaussians are needed", ["kl"]
        )
    return d0.pull(d.mean[None])[0]


def _positive(what: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise BadInput(f"{what} must be a number above 0, got {value!r}")
