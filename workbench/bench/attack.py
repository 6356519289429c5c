"""Adversaries against baselines at equal forward passes, every log P by an independent sampler."""

import math
from collections.abc import Iterable, Iterator
from statistics import median

import torch

from workbench import catalogue
from workbench.adversaries import BASELINES, KL, Adversary, Attack, baseline, families, sweep
from workbench.adversaries.baselines import CrossEntropy
from workbench.bench.base import Bench, Column, Report, Row
from workbench.bench.held_out import noised_digit, random_net
from workbench.iteration import UNLIMITED, run
from workbench.math.gaussian import log_cdf_inverse, log_cdf_value
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng

NAMED = (
    "digits", "C_digits_p1_s10", "C_digits_p8_s15", "C_digits_p22_s20", "B_w32_h2_1e-8",
    "B_w32_h3_1e-8", "B_w32_h4_1e-8", "B_w64_h4_1e-8",
)  # fmt: skip
LIMITS = (1.0, 2.0, 4.0, 8.0, 16.0)
LINEAR = ("A_d10_1e-6", "A_d10_1e-12", "A_d100_1e-12")
RARE = 1.05e-8

_STEPS, _ECONOMY, _TIMED = 12, 8, 200
_CLOSE = 0.02  # digits
_FACTOR, _MOST = 100, 4_000_000


def problems(quick: bool) -> list[Problem]:
    """Digits and random networks: named ones, and two that nothing was tuned on."""
    if quick:
        return [catalogue.load("C_digits_p1_s10")]
    held_out = [noised_digit(5, 0.12), random_net(48, 3, 0.0, 6.5)]
    return [*map(catalogue.load, NAMED), *held_out]


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """Rows of all parts."""
    yield from _linear(quick, report)
    yield from _against_baselines(quick, report)
    yield from _economy(quick, report)
    yield _timed(quick, report)


def _linear(quick: bool, report: Report) -> Iterator[Row]:
    """Half-spaces: log P against log Phi(sqrt(2 kappa) - beta)."""
    for name in LINEAR[:1] if quick else LINEAR:
        problem = catalogue.load(name)
        assert problem.truth is not None
        beta = -log_cdf_inverse(torch.tensor(problem.truth.log_p, dtype=torch.float64))
        report(0.0, f"linear: {name}")
        for found in sweep(problem, Adversary(steps=_STEPS), LIMITS):
            exact = float(log_cdf_value(math.sqrt(2.0 * found.nats) - beta))
            yield {
                **_row("linear", found), "rival": "closed form", "rival_log10_p": exact / LN10,
                "off": found.log_p / exact - 1.0,
            }  # fmt: skip


def _against_baselines(quick: bool, report: Report) -> Iterator[Row]:
    """The best checked log P of the adversaries at each limit, and of the baselines."""
    chosen = problems(quick)
    limits = LIMITS[2:3] if quick else LIMITS
    for i, problem in enumerate(chosen):
        report(i / len(chosen), f"{problem.name}: adversary")
        adversary = Adversary(family=families.LowRank(), steps=_STEPS, patience=4)
        for found in sweep(problem, adversary, limits, 1):
            row = _row("baselines", found)
            for cls in BASELINES:
                report(i / len(chosen), f"{problem.name}: {cls.name} at {found.nats:.3g} nats")
                rival = baseline(problem, cls(nats=found.nats), found.cost.forwards, 2)
                row[cls.name] = _checked(rival)
            best = max((cls.name for cls in BASELINES), key=lambda name: row[name])
            yield {**row, "rival": best, "rival_log10_p": row[best]}


def _economy(quick: bool, report: Report) -> Iterator[Row]:
    """What a few steps of a shift cost, and what cross-entropy needs to come as far."""
    if quick:
        return
    rare = [p for p in problems(quick) if _is_rare(p)]
    for i, problem in enumerate(rare):
        report(i / len(rare), f"{problem.name}: forwards of cross-entropy")
        adversary = Adversary(region=KL(4.0), steps=_ECONOMY)
        found = adversary(problem, rng=1)
        forwards, reached, rival = 1000, -math.inf, None
        while forwards <= min(_MOST, _FACTOR * found.cost.forwards):
            search = CrossEntropy(nats=4.0, batch=max(200, forwards // 20))
            rival = baseline(problem, search, forwards, 3)
            reached = _checked(rival)
            if reached >= _checked(found) - _CLOSE:
                break
            forwards *= 4
        short = reached < _checked(found) - _CLOSE
        yield {
            **_row("economy", found), "rival": "cross_entropy", "rival_log10_p": reached,
            "rival_forwards": None if short else forwards,
            "times": None if short else forwards / found.cost.forwards,
        }  # fmt: skip


def _timed(quick: bool, report: Report) -> Row:
    """Seconds of so many steps on the digits."""
    problem, steps = catalogue.load("digits"), 20 if quick else _TIMED
    report(0.9, f"digits: {steps} steps")
    adversary = Adversary(steps=steps, patience=steps)
    state, seconds = run(adversary, problem, adversary.init(problem, Rng(0)), UNLIMITED)
    row = _row("time", adversary.report(problem, state, seconds))
    return {**row, "rival": f"{len(state.path)} steps", "off": None}


def _is_rare(problem: Problem) -> bool:
    return problem.truth is not None and 10.0**problem.truth.log10_p <= RARE


def _checked(found: Attack) -> float:
    return -math.inf if found.checked is None else found.checked.log10_p


def _row(part: str, found: Attack) -> Row:
    checked = found.checked
    return {
        "part": part, "problem": found.problem.name, "family": found.family, "nats": found.nats,
        "log10_p_reference": found.log10_p_reference, "log10_p": found.log10_p,
        "log10_p_checked": None if checked is None else checked.log10_p,
        "checked_err": None if checked is None else checked.log10_err,
        "gap": None if checked is None else found.log10_p - checked.log10_p,
        "forwards": found.cost.forwards, "seconds": found.cost.seconds, "warning": found.warning,
    }  # fmt: skip


def _conclude(rows: list[Row]) -> Iterable[str]:
    linear = [abs(row["off"]) for row in rows if row["part"] == "linear"]
    if linear:
        yield f"Linear problems: log P within {max(linear):.2%} of the closed form."
    fought = [row for row in rows if row["part"] == "baselines"]
    if fought:
        won = sum(_at_least(row) for row in fought)
        named = {row["problem"] for row in fought}
        everywhere = sum(all(_at_least(r) for r in fought if r["problem"] == n) for n in named)
        yield (
            f"Checked log10 P is at least the best baseline's, two errors of the check allowed, in "
            f"{won} of {len(fought)} cases, and at every limit on {everywhere} of {len(named)} "
            "problems."
        )
        gap = median(abs(row["gap"]) for row in fought)
        yield f"Estimate and check differ by {gap:.3f} digits in the median."
    economy = [row for row in rows if row["part"] == "economy"]
    if economy:
        told = ", ".join("never" if r["times"] is None else f"{r['times']:.2g}" for r in economy)
        yield f"Forwards of cross-entropy for as much, over the adversary's: {told}."
    for row in rows:
        if row["part"] == "time":
            yield f"{row['rival']} on the digits took {row['seconds']:.1f} s."


def _at_least(row: Row) -> bool:
    return row["log10_p_checked"] >= row["rival_log10_p"] - 2.0 * (row["checked_err"] or 0.0)


ATTACK = Bench(
    "attack",
    "adversaries against baselines at equal forward passes, all checked by sampling",
    (
        Column("part", "part"), Column("problem", "problem"), Column("family", "family"),
        Column("nats", "nats", "small"),
        Column("log10_p_reference", "under D0", "power"), Column("log10_p", "estimate", "power"),
        Column("log10_p_checked", "checked", "power", "checked_err"),
        Column("rival", "against"), Column("rival_log10_p", "its P", "power"),
        Column("forwards", "forwards", "count"), Column("seconds", "seconds", "seconds"),
    ),
    measure,
    _conclude,
    ("part",),
)  # fmt: skip
