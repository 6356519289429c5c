"""Forward passes to a bad D: adversaries against the cross-entropy method, from P0 of 1e-8 on."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from statistics import median

from workbench import catalogue
from workbench.adversaries import KL, Adversary
from workbench.adversaries.baselines import CrossEntropy
from workbench.bench.base import Bench, Column, Report, Row
from workbench.bench.held_out import random_net
from workbench.distributions import Gaussian
from workbench.errors import Unsupported
from workbench.estimators import Moments
from workbench.iteration import UNLIMITED, steps
from workbench.problem import Problem
from workbench.rng import Rng

NATS = 4.0
SHORT = 0.1
"""Digits that a D may be short of the best that any search here has found."""

_MEAN = Moments("mean")
LADDER = {
    "mean": Adversary(region=KL(NATS), scout=_MEAN, estimator=_MEAN, steps=1),
    "covariance": Adversary(region=KL(NATS), scout=_MEAN, estimator=Moments(), steps=2, patience=1),
    "summits": Adversary(
        region=KL(NATS), scout=_MEAN, estimator=Moments(), steps=2, patience=1, restarts=4
    ),
    "lines": Adversary(region=KL(NATS), scout=_MEAN, steps=4, patience=2),
}
"""Ever costlier adversaries that shift the mean; whoever climbs pays for all rungs so far."""
BATCHES = (200, 500, 1000, 2000, 5000)
"""Of cross-entropy: the best of them counts, with hindsight."""
FIXED = 2000
"""One batch for all problems, as it would be set without hindsight."""

_LOOKS = (2, 3, 5, 8, 12, 20, 30)  # steps of cross-entropy after which its D is checked
_CHECK = 20_000
_CATALOGUE = (
    "A_d10_1e-12", "A_d100_1e-12", "A_d10_1e-20", "B_w32_h2_1e-8", "B_w32_h3_1e-8",
    "B_w32_h4_1e-8", "B_w64_h4_1e-8",
)  # fmt: skip
_QUIETER = {
    "digits": 0.75, "C_digits_p1_s10": 0.75, "C_digits_p8_s15": 0.7, "C_digits_p22_s20": 0.6,
    "D_ramp_1e-7": 0.85,
}  # fmt: skip
"""Problems with their noise scaled down, so that P0 is below 1e-8."""


def problems(quick: bool) -> list[Problem]:
    """All those with P0 of at most about 1e-8."""
    if quick:
        return [catalogue.load("A_d10_1e-12")]
    named = [catalogue.load(name) for name in _CATALOGUE]
    quieter = [_scaled(catalogue.load(name), by) for name, by in _QUIETER.items()]
    return [*named, *quieter, random_net(48, 3, 0.0, 8.5)]


def _scaled(problem: Problem, by: float) -> Problem:
    d = problem.distribution
    assert isinstance(d, Gaussian)
    quieter = problem.vary(distribution=Gaussian(d.mean, by * d.scale))
    return replace(quieter, name=f"{problem.name}, noise x {by:g}")


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """A row a problem."""
    chosen = problems(quick)
    for i, problem in enumerate(chosen):
        climbed: list[tuple[str, int, float]] = []
        spent, reference = 0, float("nan")
        for name, adversary in LADDER.items():
            report(i / len(chosen), f"{problem.name}: {name}")
            try:
                found = adversary(problem, rng=1, check=_CHECK)
            except Unsupported:  # log P was -inf: this rung sees no way up
                continue
            assert found.checked is not None
            spent += found.cost.forwards
            reference = found.log10_p_reference
            climbed.append((name, spent, found.checked.log10_p))
        level = max((p for _, _, p in climbed), default=-math.inf) - SHORT
        followed: dict[int, list[tuple[str, int, float]]] = {}
        for batch in BATCHES[1:4] if quick else BATCHES:
            report(i / len(chosen), f"{problem.name}: cross-entropy, {batch:,} draws a step")
            followed[batch] = _cross_entropy(problem, batch, level)
        every = sorted((at for each in followed.values() for at in each), key=lambda at: at[1])
        best = max(p for _, _, p in (*climbed, *every))
        ours, rival = _first(climbed, best), _first(every, best)
        fixed = _first(followed[FIXED], best)
        yield {
            "problem": problem.name, "log10_p_reference": reference, "best": best,
            "rung": "none" if ours is None else ours[0],
            "forwards": None if ours is None else ours[1],
            "batch": None if rival is None else rival[0],
            "rival_forwards": None if rival is None else rival[1],
            "fixed_forwards": None if fixed is None else fixed[1],
            "rival_short": best - max(p for _, _, p in every),
            "times": None if ours is None or rival is None else rival[1] / ours[1],
            "fixed_times": None if ours is None or fixed is None else fixed[1] / ours[1],
            "ladder": [[name, forwards, best - p] for name, forwards, p in climbed],
        }  # fmt: skip


def _cross_entropy(problem: Problem, batch: int, level: float) -> list[tuple[str, int, float]]:
    """(its batch, forward passes, checked log10 P with all nats spent) at some of its steps, until
    it comes to a level."""
    search, seen = CrossEntropy(nats=NATS, batch=batch), []
    walk = steps(search, problem, search.init(problem, Rng(3)), UNLIMITED)
    for state, look in walk:
        if state.steps in _LOOKS:
            found = search.report(problem, state, look.seconds).check(Rng(5), _CHECK)
            assert found.checked is not None
            seen.append((f"{batch:,}", state.forwards, found.checked.log10_p))
            if seen[-1][2] >= level:
                break
        if state.steps >= _LOOKS[-1]:
            break
    return seen


def _first(found: list[tuple[str, int, float]], best: float) -> tuple[str, int, float] | None:
    return next((at for at in found if at[2] >= best - SHORT), None)


def _conclude(rows: list[Row]) -> Iterable[str]:
    fails = [r for r in rows if r["rival_forwards"] is None and r["forwards"] is not None]
    missed = sum(row["forwards"] is None for row in rows)
    yield (
        f"Forward passes to within {SHORT:g} digits of the best D that any of them found with "
        f"{NATS:g} nats; the adversary pays for every rung of its ladder up to the one that got "
        "there."
    )
    for key, told in (("times", "the best of its batches, with hindsight"),
                      ("fixed_times", f"{FIXED:,} draws a step")):  # fmt: skip
        both = sorted(row[key] for row in rows if row[key] is not None)
        if both:
            far = sum(times >= 100.0 for times in both)
            yield (
                f"Cross-entropy with {told}: where both get there {both[0]:.2g} to {both[-1]:.3g} "
                f"times as many, {median(both):.2g} in the median, at least 100 on {far} of "
                f"{len(both)}."
            )
    yield (
        f"On {len(fails)} of {len(rows)} problems cross-entropy never gets there with any batch "
        f"and the adversary does; on {missed} the adversary does not."
    )


ECONOMY = Bench(
    "economy",
    "forward passes to a bad D from P0 of 1e-8 on: adversaries against cross-entropy",
    (
        Column("problem", "problem"), Column("log10_p_reference", "under D0", "power"),
        Column("best", "best D", "power"), Column("rung", "rung"),
        Column("forwards", "forwards", "count"), Column("batch", "its batch"),
        Column("rival_forwards", "cross-entropy", "count"),
        Column("fixed_forwards", f"with {FIXED:,}", "count"),
        Column("rival_short", "comes short by", "digits"), Column("times", "times", "small"),
    ),
    measure,
    _conclude,
)  # fmt: skip
