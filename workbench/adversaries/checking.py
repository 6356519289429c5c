"""What an adversary found, checked by a sampler that had no part in the search."""

import math
from dataclasses import replace

import torch

from workbench.distributions import Driven, Mixture, Reparameterised, Sampleable
from workbench.errors import Unsupported
from workbench.estimators import Estimate, Importance, MonteCarlo, Strata, Subset
from workbench.math.cost import Cost
from workbench.math.gaussian import TWO_SIDED_95
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral

BUDGET = 50_000
"""Forward passes of a check, unless told otherwise."""

APART = 0.3
"""Digits that an estimate and its check may differ by, beside the check's own 95%."""

_MANY, _EACH = 32, 600
_HITS = 200.0  # expected failures from which plain draws are the best judge
_ENOUGH = 0.1  # digits
_DIFFER = 4.0  # combined standard errors


@torch.no_grad()
def check(problem: Problem, log_p: float, rng: Rng, budget: int = BUDGET) -> Estimate:
    """log P of a problem by the sampler that suits it, on fresh draws.

    A mixture of many pieces is sampled piece by piece (`strata`), with a few hundred draws each at
    least. Otherwise plain Monte Carlo where `log_p` promises 200 failures; else importance
    sampling, or for tokens subset simulation. Where importance sampling warns of itself, subset
    simulation has to confirm it: the sharper of the two is returned, with a warning where they
    differ by more than 4 combined standard errors.

    Args:
        problem: under the D that was found.
        log_p: what is to be checked, in nats.
        rng: one that the search did not use.
        budget: forward passes a sampler.

    Raises:
        Unsupported: where no sample of D can be drawn.
    """
    d = problem.distribution
    if not isinstance(d, Sampleable):
        raise Unsupported(f"a check under a {d.name}", "a distribution with samples is needed")
    plain = MonteCarlo()
    pieces = len(d.components) if isinstance(d, Mixture) else 1
    if pieces > _MANY and isinstance(problem.spec, Polyhedral):
        return Strata()(problem, max(budget, _EACH * pieces), rng.child("strata"))
    if not isinstance(d, Driven) or math.log(budget) + log_p > math.log(_HITS):
        return plain(problem, budget, rng.child("plain"))
    if not isinstance(d, Reparameterised):
        return Subset()(problem, budget, rng.child("subset"))
    weighed = Importance()(problem, budget, rng.child("importance"))
    if not weighed.warning and (weighed.log10_err or 0.0) < _ENOUGH:
        return weighed
    return _of_two(weighed, Subset()(problem, budget, rng.child("subset")))


def _of_two(a: Estimate, b: Estimate) -> Estimate:
    """The sharper of two independent estimates; without a warning where the other, which must
    have an error of its own, confirms it."""
    sharper, other = (a, b) if error_of(a) <= error_of(b) else (b, a)
    cost = Cost(
        a.cost.forwards + b.cost.forwards, a.cost.flops + b.cost.flops,
        a.cost.seconds + b.cost.seconds,
    )  # fmt: skip
    info = {k: v for k, v in sharper.info.items() if k != "warning"}
    if math.isinf(error_of(other)):  # it saw nothing, or states no error: it confirms nothing
        return replace(sharper, cost=cost)
    gap, err = abs(a.log10_p - b.log10_p), math.hypot(error_of(a), error_of(b))
    if gap > _DIFFER * err:
        info["warning"] = (
            f"two samplers differ by {gap:.1f} digits, {gap / err:.0f} times their errors: "
            "neither is to be believed"
        )
    else:
        info["confirmed"] = "two independent samplers agree"
    return replace(sharper, cost=cost, info=info)


def error_of(estimate: Estimate) -> float:
    """Standard error of log10 P; inf where none is stated or nothing was seen."""
    err = estimate.log10_err
    return math.inf if err is None or not math.isfinite(estimate.log10_p) else err


def verdict(log_p: float, checked: Estimate) -> str:
    """One sentence where estimate and check part; else empty."""
    gap = log_p / LN10 - checked.log10_p
    err = checked.log10_err or 0.0
    if not math.isfinite(checked.log10_p):
        return "the check saw no failure at all: this D is not known to be bad"
    if not math.isfinite(err):
        return "the check states no error: this D is not known to be as bad as the estimate says"
    if abs(gap) <= APART + TWO_SIDED_95 * err:
        return ""
    way = "above" if gap > 0 else "below"
    return (
        f"the estimate lies {abs(gap):.1f} digits {way} its check: the search has found a mistake "
        "of the estimator, not only of the model; believe the check"
    )
