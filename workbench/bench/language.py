"""Adversaries that begin as a language model, on text where P and KL are exact: gain per nat."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from workbench import catalogue
from workbench.adversaries import KL, Adversary, sweep
from workbench.adversaries.evidence import binary_nats, judged
from workbench.adversaries.families import FineTuned
from workbench.adversaries.lm import LMAdversary
from workbench.adversaries.sources import Elites, Score, Tilted
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Distribution, ShortText
from workbench.estimators import MonteCarlo
from workbench.estimators.reading import automaton_of
from workbench.estimators.transitions import Transitions
from workbench.iteration import UNLIMITED, steps
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng

LIMITS = (0.25, 1.0, 4.0, 17.0)
QUICK = (17.0,)
FIGURE = 17.0

_EXACT = Adversary(family=FineTuned(), estimator=Transitions(), rate=0.01, steps=40, patience=15)
_ELITES = LMAdversary(source=Elites(), rate=0.003, steps=60, draws=2000, fits=5)
_RIVALS = (
    ("elites, to D0", _ELITES),
    ("draws given C, by twists", replace(_ELITES, source=Tilted(), steps=20, draws=500)),
    ("score, margin", replace(_ELITES, source=Score(), rate=0.01, fits=1)),
    ("score, 0/1", replace(_ELITES, source=Score(shaped=False), rate=0.01, fits=1)),
)
_CHECKS = 100_000
_SHOWN = 3
_EQUAL = 1e-3  # digits
_ROUNDED = 1e-9  # nats, where D has not moved


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """Of every problem the exact gradient's frontier, then that of each rival."""
    names = ["L_zap_1e-7"] if quick else catalogue.short_text_names()
    limits = QUICK if quick else LIMITS
    for i, name in enumerate(names):
        problem = catalogue.load(name)
        report(i / len(names), f"{name}: exact gradient")
        begun = time.process_time()
        for found in sweep(problem, _EXACT, limits, 0, 0):
            cpu = time.process_time() - begun
            row = _row(problem, "exact gradient", found.nats, found.distribution)
            drawn = MonteCarlo()(found.posed, _CHECKS, 1)
            yield {
                **row, "limit": found.nats, "calls": 0, "cpu": cpu, "drawn": drawn.log10_p,
                "drawn_err": drawn.log10_err, "sample": _texts(found.posed),
            }  # fmt: skip
        for label, adversary in _RIVALS[:1] if quick else _RIVALS:
            report(i / len(names), f"{name}: {label}")
            yield from _frontier(problem, label, adversary, limits)


def _frontier(
    problem: Problem, label: str, adversary: LMAdversary, limits: tuple[float, ...]
) -> Iterator[Row]:
    """The best D that any step of any run passed through, of those within each limit.

    One run is held at each limit, and one by nothing; calls of M and seconds are those of all.
    """
    begun, calls = time.process_time(), 0
    passed: list[tuple[float, float, Distribution]] = []
    for limit in (*limits, 1e6):
        one = replace(adversary, region=KL(limit))
        state = one.init(problem, Rng(0))
        for latest, _ in steps(one, problem, state, UNLIMITED):
            state = latest
            d = one.distribution(problem, state, state.theta)
            passed.append((*judged(problem, d), d))
        calls += state.forwards
    cpu = time.process_time() - begun
    for limit in limits:
        within = [p for p in passed if p[0] <= limit * (1.0 + 1e-6)]
        if within:
            nats, _, d = max(within, key=lambda p: p[1])
            yield {**_row(problem, label, nats, d), "limit": limit, "calls": calls, "cpu": cpu}


def _row(problem: Problem, method: str, nats: float, d: Distribution) -> Row:
    """What D is, all of it exact."""
    assert problem.truth is not None
    reference = problem.truth.log10_p
    log10_p = judged(problem, d)[1]
    row: dict[str, Any] = {
        "problem": problem.name, "method": method, "nats": nats, "log10_p_reference": reference,
        "log10_p": log10_p, "gain": (log10_p - reference) * LN10 / nats if nats else 0.0,
        "bound": binary_nats(log10_p * LN10, reference * LN10),
    }  # fmt: skip
    words = problem.outputs
    if words > 1:
        planted = problem.vary(spec=catalogue.planted(words))
        row["planted"] = judged(planted, d)[1]
        row["planted_reference"] = judged(planted, problem.distribution)[1]
    return row


def _texts(posed: Problem) -> list[str]:
    assert isinstance(posed.distribution, ShortText)
    x = posed.distribution.sample(_SHOWN, Rng(0).generator())
    return automaton_of(posed).read(x)


def _conclude(rows: list[Row]) -> Iterable[str]:
    exact = {(r["problem"], r["limit"]): r for r in rows if r["method"] == "exact gradient"}
    at = [r for (_, limit), r in exact.items() if abs(limit - FIGURE) < 0.01]
    for row in at:
        yield (
            f"{row['problem']}: log10 P from {row['log10_p_reference']:.2f} to "
            f"{row['log10_p']:.3f} at {row['nats']:.1f} nats, {row['cpu']:.0f} CPU s for all "
            f"limits so far; it writes {', '.join(map(repr, row['sample']))}."
        )
    for label in dict.fromkeys(r["method"] for r in rows):
        if label == "exact gradient":
            continue
        fought = [(r, _near(exact, r)) for r in rows if r["method"] == label]
        ahead = sum(best["log10_p"] >= r["log10_p"] - _EQUAL for r, best in fought)
        yield (
            f"The exact gradient is on or above the frontier of {label!r} at {ahead} of "
            f"{len(fought)} limits."
        )
    kept = sum(r["nats"] >= r["bound"] * (1.0 - 1e-9) - _ROUNDED for r in rows)
    yield f"KL(D || D0) is at least the binary KL in {kept} of {len(rows)} rows."
    off = [abs(r["drawn"] - r["log10_p"]) / r["drawn_err"] for r in exact.values()
           if r["drawn_err"] and math.isfinite(r["drawn_err"])]  # fmt: skip
    if off:
        yield f"100,000 draws agree with exact P within {max(off):.1f} of their standard errors."
    for row in (r for r in at if "planted" in r):
        yield (
            f"{row['problem']}: of that the planted words have log10 P {row['planted']:.1f} "
            f"({row['planted_reference']:.1f} under D0): the failures were found elsewhere."
            if row["planted"] < row["log10_p"] - 1.0
            else f"{row['problem']}: the planted words have log10 P {row['planted']:.1f}."
        )


def _near(exact: dict[tuple[str, float], Row], row: Row) -> Row:
    """The exact gradient's row of the same problem and limit."""
    mine = [r for (problem, _), r in exact.items() if problem == row["problem"]]
    return min(mine, key=lambda r: abs(r["limit"] - row["limit"]))


LANGUAGE = Bench(
    "lm",
    "adversaries that begin as a language model, all exact: gain per nat against cross-entropy",
    (
        Column("problem", "problem"), Column("method", "method"),
        Column("nats", "nats", "small"), Column("bound", "at least", "small"),
        Column("log10_p_reference", "under D0", "power"), Column("log10_p", "under D", "power"),
        Column("gain", "gain a nat", "small"), Column("planted", "planted", "power"),
        Column("calls", "calls of M", "count"), Column("cpu", "CPU s", "seconds"),
    ),
    measure,
    _conclude,
    ("problem", "method"),
)  # fmt: skip
