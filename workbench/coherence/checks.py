"""What an estimator owes, law by law, each measured without knowing the truth.

Every check gives a defect in digits of log10 P: 0 where the law is kept.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch

from workbench.coherence import variants
from workbench.coherence.base import Defect, digits_between, log_p_of, require_deterministic
from workbench.coherence.heat import Heat, heat_flow, heat_steps
from workbench.distributions import Sampleable
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimator
from workbench.math.logspace import log1mexp
from workbench.problem import Problem
from workbench.rng import Rng

_THRESHOLDS = (-0.5, -0.25, 0.0, 0.25, 0.5)  # in standard deviations of the margin
_DRAWS = 512

Check = Callable[[Problem, Estimator], tuple[float, int]]
"""From a problem and an estimator to the defect in digits and the number of estimates made."""


def complement(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P(C) against 1 - P(not C)."""
    own = log_p_of(problem, estimator)
    other = log_p_of(problem.vary(spec=~problem.spec), estimator)
    if other == 0.0 and math.isfinite(own):
        if own > -30.0:
            return math.inf, 2
        raise Unsupported("1 - P(not C)", "P(not C) rounds to 1 here")
    return digits_between(own, float(log1mexp(torch.tensor(other, dtype=torch.float64)))), 2


def monotone(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """By how much P rises in all while the threshold rises."""
    d = problem.distribution
    if not isinstance(d, Sampleable):
        raise Unsupported("a scale of the margin", "a D that can be sampled is needed")
    with torch.no_grad():
        s = problem.margin(d.sample(_DRAWS, Rng(0).child("margin").generator()))
    spread = float(s.std())
    taus = [k * spread for k in _THRESHOLDS]
    logs = [log_p_of(problem.vary(spec=problem.spec.shift(t)), estimator) for t in taus]
    rises = [digits_between(b, a) for a, b in pairwise(logs) if b > a]
    return sum(rises), len(taus)


def renaming(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P against P with the hidden neurons in another order."""
    return _same(problem, variants.permuted(problem), estimator)


def shifting(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P against P with D moved one way and a first bias the other way."""
    return _same(problem, variants.shifted(problem), estimator)


def irrelevance(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P against P with coordinates added that M does not read."""
    return _same(problem, variants.with_irrelevant(problem), estimator)


def linearity(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P under a mixture against the mean of P under its halves."""
    mixture, moved = variants.mixed(problem)
    halves = torch.tensor([log_p_of(p, estimator) for p in (problem, moved)], dtype=torch.float64)
    mean = float(torch.logsumexp(halves, 0)) - math.log(2.0)
    return digits_between(log_p_of(mixture, estimator), mean), 3


def product(problem: Problem, estimator: Estimator) -> tuple[float, int]:
    """P of two independent copies failing together against P^2."""
    own = log_p_of(problem, estimator)
    return digits_between(log_p_of(variants.doubled(problem), estimator), 2.0 * own), 2


def _same(problem: Problem, other: Problem, estimator: Estimator) -> tuple[float, int]:
    return digits_between(log_p_of(problem, estimator), log_p_of(other, estimator)), 2


CHECKS: dict[str, tuple[str, Check]] = {
    "complement": ("P(C) + P(not C) = 1", complement),
    "monotone": ("P falls as the threshold rises", monotone),
    "renaming": ("the names of neurons do not matter", renaming),
    "shifting": ("a bias may be moved into D", shifting),
    "linearity": ("P of a mixture is the mean over its parts", linearity),
    "product": ("independent events multiply", product),
    "irrelevance": ("what M does not read does not matter", irrelevance),
}
"""{name: (the law, how its defect is measured)}."""
HEAT_LAW = "integrating part of D exactly changes nothing"


def run(name: str, problem: Problem, estimator: Estimator) -> Defect:
    """One of `CHECKS`; where it cannot be measured the reason is in the defect."""
    law, check = CHECKS[name]
    try:
        with torch.no_grad():
            digits, estimates = check(problem, estimator)
    except (Unsupported, NotConverged) as error:
        return Defect(name, law, None, str(error))
    return Defect(name, law, digits, estimates=estimates)


def run_all(problem: Problem, estimator: Estimator) -> list[Defect]:
    """All of `CHECKS`."""
    return [run(name, problem, estimator) for name in CHECKS]


def measure(
    problem: Problem, estimator: Estimator, probes: int | None = None
) -> Iterator[Defect | Heat | float]:
    """Every defect as soon as it is known; the heat flow last, with the share of it that is done.

    Yields defects, then shares in [0, 1], then a `Heat` and its defect.

    Raises:
        Unsupported: where the estimator cannot serve the problem, or samples.
    """
    require_deterministic(estimator)
    estimator.check(problem)
    for name in CHECKS:
        yield run(name, problem, estimator)
    try:
        for news in heat_steps(problem, estimator, probes):
            yield news
            if isinstance(news, Heat):
                yield Defect("heat flow", HEAT_LAW, news.digits, estimates=news.estimates)
    except (Unsupported, NotConverged) as error:
        yield Defect("heat flow", HEAT_LAW, None, str(error))


def coherence_defect(problem: Problem, estimator: Estimator, probes: int | None = None) -> float:
    """How many digits an estimate may be off, from its heat-flow defect alone.

    >>> import workbench as wb
    >>> coherence_defect(wb.load("A_d10_1e-6"), wb.Moments()) < 1e-3
    True
    """
    return heat_flow(problem, estimator, probes).digits
