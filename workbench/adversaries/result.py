"""What an adversary hands back."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.adversaries import checking, portrait
from workbench.adversaries.proposal import Proposed
from workbench.adversaries.search import Found
from workbench.distributions import Distribution
from workbench.estimators import Estimate, Estimator
from workbench.estimators.change_of_measure import bound
from workbench.math.cost import Cost
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng, as_rng

_SAME = 1e-6  # nats, relatively, that are one point of a frontier


@dataclass(frozen=True, eq=False)
class Attack:
    """The D that was found, and what is known of it.

    Attributes:
        problem: under D0.
        distribution: D.
        family: its name.
        log_p: log P_D[C] in nats by the search's estimator.
        nats: KL(D || D0).
        nats_err: its standard error, 0 where it is exact.
        found: where the search ended; its path.
        cost: of the search; the check's is in `checked`.
        checked: log P_D[C] by an independent sampler, or None before `check`.
        info: diagnostics, JSON-able.
    """

    problem: Problem
    distribution: Distribution
    family: str
    log_p: float
    nats: float
    nats_err: float
    found: Found
    cost: Cost
    checked: Estimate | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def posed(self) -> Problem:
        """The problem under D."""
        return self.problem.vary(distribution=self.distribution)

    @property
    def log10_p(self) -> float:
        """log10 P_D[C] by the search's estimator."""
        return self.log_p / LN10

    @property
    def log10_p_reference(self) -> float:
        """log10 P_D0[C] by the same."""
        return self.found.reference / LN10

    def gallery(self, n: int = 64, rng: Rng | int = 0) -> portrait.Gallery:
        """n draws of D, what M makes of them, and which fail."""
        return portrait.gallery(self.problem, self.distribution, n, as_rng(rng))

    def modes(self, n: int = 4096, rng: Rng | int = 0) -> tuple[portrait.Mode, ...]:
        """The ways in which n draws of D fail, the commonest first."""
        return portrait.modes(self.problem, self.distribution, n, as_rng(rng))

    def design_point(self, rng: Rng | int = 0) -> portrait.Likeliest | None:
        """The likeliest failure under D, None where the search finds none."""
        return portrait.design_point(self.problem, self.distribution, as_rng(rng))

    def as_proposal(self) -> Estimator:
        """`importance` for the problem under D0, with D in its mixture."""
        return Proposed(self.distribution)

    def check(self, rng: Rng, budget: int = checking.BUDGET) -> "Attack":
        """The same with `checked`: an independent sampler's log P_D[C] on fresh draws.

        Raises:
            Unsupported: where D cannot be sampled.
        """
        return replace(self, checked=checking.check(self.posed, self.log_p, rng, budget))

    @property
    def warning(self) -> str:
        """Why this D is not yet known to be bad, in one sentence; else empty."""
        if self.checked is None:
            return "not checked by an independent sampler yet"
        return checking.verdict(self.log_p, self.checked) or self.checked.warning

    @property
    def bound_lower(self) -> float:
        """log P_D0[C] >= this, in nats, with 97.5% confidence; -inf before the check.

        -(KL + h(p)) / p, with p the lower end of the check's 95% interval (see
        `estimators.change_of_measure`), and KL two standard errors up where it was estimated.
        """
        if self.checked is None or self.checked.interval is None:
            return -math.inf
        low = math.exp(min(0.0, self.checked.interval[0]))
        return bound(max(0.0, self.nats + 2.0 * self.nats_err), low)

    def frontier(self) -> list[tuple[float, float]]:
        """(nats, log P) along the path, both rising: the price list of failure.

        By the search's estimator, at limits that grew while it ran; `sweep` gives one that is
        checked. In nats where the trust region counts them.
        """
        best, points = -math.inf, []
        for _, spent, log_p, _ in sorted(self.found.path.tolist(), key=lambda row: row[1]):
            if log_p > best:
                best = log_p
                if points and spent <= points[-1][0] * (1.0 + _SAME):
                    points.pop()
                points.append((spent, log_p))
        return points

    def record(self) -> dict[str, Any]:
        """Plain numbers, as `workbench attack --json` prints them."""
        checked, low = self.checked, self.bound_lower / LN10
        return {
            "problem": self.problem.name,
            "family": self.family,
            "log10_p_reference": self.log10_p_reference,
            "log10_p": self.log10_p,
            "log10_p_checked": None if checked is None else checked.log10_p,
            "checked_err": None if checked is None else checked.log10_err,
            "nats": self.nats,
            "nats_err": self.nats_err,
            "forwards": self.cost.forwards,
            "seconds": self.cost.seconds,
            "bound_lower_log10": low if math.isfinite(low) else None,
            "warning": self.warning,
            "frontier": [[nats, log_p / LN10] for nats, log_p in self.frontier()],
        }


def attacked(
    problem: Problem, distribution: Distribution, family: str, nats: tuple[float, float],
    found: Found, seconds: float,
) -> Attack:  # fmt: skip
    """An `Attack`, not yet checked."""
    cost = Cost(found.forwards, found.forwards * problem.flops_per_forward, seconds)
    return Attack(
        problem, distribution, family, found.log_p, nats[0], nats[1], found, cost, info=found.info
    )
