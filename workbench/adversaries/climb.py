"""One step of an adversary: the optimiser's, then back onto the edge of the trust region."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.adversaries import optimisers, ride
from workbench.adversaries.divergence import Nats
from workbench.adversaries.families import Family
from workbench.adversaries.region import Region
from workbench.adversaries.search import Search
from workbench.errors import BadInput, NotConverged

FIRST = 0.05
"""Of the limit: what the first step may spend."""
_LEAST_PRICE = 0.5
_NATURAL_RATE, _RATE = 0.7, 0.03


@dataclass(frozen=True, eq=False)
class Slopes:
    """What is known at the present theta.

    Args:
        gain: gradient of log P, `(p,)`.
        cost: gradient of what D spends, `(p,)`.
        value: what it spends.
    """

    gain: Tensor
    cost: Tensor
    value: float


@dataclass(frozen=True)
class Climb:
    """How an adversary steps.

    Args:
        family: of D.
        region: that holds it.
        optimiser: one of `optimisers.NAMES`.
        rate: its learning rate, None for the usual one.
        halvings: of natural steps.
    """

    family: Family
    region: Region
    optimiser: str
    rate: float | None
    halvings: int = 0

    def moved(
        self, state: Search, spent: Callable[[Tensor], Nats], slopes: Slopes, share: float,
        turn: int,
    ) -> Search | None:  # fmt: skip
        """After one step; None where that would leave the family.

        Args:
            share: of the limit that may be spent now.
            turn: steps since that is all of it.
        """
        try:
            after = self._move(state, spent, slopes, share, turn)
        except (BadInput, NotConverged, torch.linalg.LinAlgError):  # pyright: ignore[reportPrivateImportUsage]
            return None
        return after if bool(torch.isfinite(after.theta).all()) else None

    def _move(
        self, state: Search, spent: Callable[[Tensor], Nats], slopes: Slopes, share: float,
        turn: int,
    ) -> Search:  # fmt: skip
        gain, length = slopes.gain, float(slopes.gain.norm())
        if length == 0.0:
            return replace(state, ticks=state.ticks + 1)
        own = self.region.stride(state.theta, gain, share, turn)
        if own is not None:
            return replace(state, theta=own, ticks=state.ticks + 1)
        limited = math.isfinite(self.region.limit)
        price = state.price if limited else self.region.price
        limit = share * self.region.limit
        at_d0 = limited and slopes.value <= FIRST**2 * limit
        if at_d0 and self.family.member.natural:  # nothing has a price yet
            theta, moments = state.theta + math.sqrt(2.0 * limit) / length * gain, state.moments
        else:
            reach = math.sqrt(2.0 * limit) if limited else max(1.0, math.sqrt(2.0 * slopes.value))
            natural = self.optimiser == "natural"
            rate = self.rate or (_NATURAL_RATE if natural else _RATE)
            if natural:
                rate = rate * 0.5**self.halvings / max(price, _LEAST_PRICE * length / reach)
            theta, moments = optimisers.ascend(
                self.optimiser, state.theta, gain - price * slopes.cost, state.moments,
                state.ticks, rate,
            )  # fmt: skip
        if limited and (price > 0.0 or slopes.value <= 0.0 or _over(spent, theta, limit)):
            theta = ride.onto_edge(spent, theta, limit)
        return replace(state, theta=theta, moments=moments, ticks=state.ticks + 1)


def _over(spent: Callable[[Tensor], Nats], theta: Tensor, limit: float) -> bool:
    with torch.no_grad():
        return float(spent(theta).value) > limit
