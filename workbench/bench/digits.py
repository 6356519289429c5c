"""Digits under noise, on average over held-out images: trained by every rule, then judged."""

import math
import time
from collections.abc import Iterable
from functools import lru_cache, partial

import torch

from workbench.bench.base import Row, Work
from workbench.bench.digits_rules import LABELLED, METHODS, OURS, Method, find
from workbench.estimators import Strata, Tangent
from workbench.iteration import UNLIMITED, run
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training import digits, shifts
from workbench.training.duty import Duty
from workbench.training.rule import Rule
from workbench.training.trainer import Trainer

ZERO, LABEL = "digits: a 0 is read", "digits: its label is lost"
LABEL_SIGMA = 0.1
NATS = 2.0
AIM, POINT = math.log10(1.0 / (1000 * 1437)), 0.01
"""log10 P to be below, and the accuracy that may be lost for it."""
JUDGED = 400_000
_QUICK = 8
SHORT = ("standard", "PGD", OURS)
"""What a quick measurement has; and who is judged by lost labels."""


def works(quick: bool, seeds: int) -> list[Work]:
    """A row a method and seed, that a 0 is read; and, unless quick, that the label is lost."""
    read = [
        Work(ZERO, m.title, seed, partial(zero, seed, m, quick))
        for seed in range(seeds)
        for m in METHODS
        if not quick or m.title in SHORT
    ]
    lost = [
        Work(LABEL, title, seed, partial(label, seed, find(title)))
        for seed in range(seeds)
        for title in SHORT
    ]
    return read if quick else [*read, *lost]


def zero(seed: int, method: Method, quick: bool = False) -> Row:
    """What one training reaches, σ = 0.2, C: a 0 is read."""
    steps = method.steps // _QUICK if quick else method.steps
    trained, seconds = _trained(seed, method.rule, steps, digits.SIGMA)
    problem, rng = digits.held_out(trained), Rng(seed).child("bench")
    budget = JUDGED // 2 if quick else JUDGED
    judged = Strata()(problem, budget, rng.child("judge"))
    moved = shifts.along_tangents(problem, NATS)
    crossed = shifts.by_cross_entropy(problem, NATS, rng)
    claimed = Tangent()(problem, UNLIMITED)
    return {
        "rule": str(method.rule), "score": _score(trained), "steps": steps, "seconds": seconds,
        "estimate": claimed.log10_p, "log10_p": _finite(judged.log10_p), "err": judged.log10_err,
        "own": _judge(moved, budget // 2, rng.child("own")),
        "cross_entropy": _judge(crossed, budget // 2, rng.child("ce")),
        "exploited": _apart(claimed.log10_p, judged.log10_p, judged.log10_err),
    }  # fmt: skip


def label(seed: int, method: Method) -> Row:
    """What one training reaches, σ = 0.1, C: the label is lost, of images that standard training
    reads right, and of all."""
    rule = LABELLED if method.title == OURS else method.rule
    sigma = LABEL_SIGMA if method.title == OURS else digits.SIGMA
    trained, seconds = _trained(seed, rule, method.steps, sigma)
    plain = find("standard")
    standard, _ = _trained(seed, plain.rule, plain.steps, digits.SIGMA)
    x, y = standard.task.held_out
    with torch.no_grad():
        right = standard.problem.model(x).argmax(1) == y
    rng = Rng(seed).child("bench")
    return {
        "rule": str(rule), "score": _score(trained), "steps": method.steps, "seconds": seconds,
        "log10_p": _labels(trained, right, rng), "all": _labels(trained, None, rng),
    }  # fmt: skip


def _score(trained: Duty) -> float:
    return trained.task.score(trained.problem.model)


def _trained(seed: int, rule: Rule, steps: int, sigma: float) -> tuple[Duty, float]:
    theta, seconds = _weights(seed, rule, steps, sigma)
    duty = digits.duty(seed, sigma=sigma)
    duty.put(theta)
    return duty, seconds


@lru_cache(maxsize=4)
def _weights(seed: int, rule: Rule, steps: int, sigma: float) -> tuple[torch.Tensor, float]:
    """Parameters after a training, and the processor time that it took."""
    duty, trainer = digits.duty(seed, sigma=sigma), Trainer(rule, steps, referee=None)
    begun, start = trainer.init(duty, Rng(seed)), time.process_time()
    last, _ = run(trainer, duty, begun, UNLIMITED)
    return last.theta, time.process_time() - start


def _judge(problem: Problem, budget: int, rng: Rng) -> float | None:
    return _finite(Strata()(problem, budget, rng).log10_p)


def _labels(trained: Duty, right: torch.Tensor | None, rng: Rng) -> float:
    parts = digits.label_changes(trained, LABEL_SIGMA, right)
    found = [(w, Strata()(p, JUDGED // 40, rng.child("label", p.name)).log10_p) for w, p in parts]
    return digits.mean_log10(found)


def _finite(log10_p: float) -> float | None:
    return log10_p if math.isfinite(log10_p) else None


def _apart(claimed: float, judged: float, err: float | None) -> bool:
    sure = err is not None and math.isfinite(err) and math.isfinite(judged)
    return sure and abs(claimed - judged) > max(1.0, 2.0 * (err or 0.0))


def conclude(rows: list[Row]) -> Iterable[str]:
    """Figures to reach, and how many seeds reach them."""
    mine = [r for r in rows if r["problem"] == ZERO]
    ours = {r["seed"]: r for r in mine if r["method"] == OURS}
    if not ours:
        return
    standard = {r["seed"]: r for r in mine if r["method"] == "standard"}
    below = sum(r["log10_p"] is not None and r["log10_p"] <= AIM for r in ours.values())
    fails = sum(r["log10_p"] is not None and r["log10_p"] >= -3.0 for r in standard.values())
    yield (
        f"{ZERO}, σ {digits.SIGMA}, {OURS}: below 10^{AIM:.2f} = 1/(1000 N) on {below} of "
        f"{len(ours)} seeds; standard training fails at 10^-3 or more on {fails}"
    )
    for title in dict.fromkeys(r["method"] for r in mine):
        yield from _compared(title, mine, ours, standard)


def _compared(
    title: str, rows: list[Row], ours: dict[int, Row], standard: dict[int, Row]
) -> Iterable[str]:
    """How much accuracy a method keeps, and how far P lies above that of ours."""
    mine = [r for r in rows if r["method"] == title]
    if title != "standard":
        lost = [standard[r["seed"]]["score"] - r["score"] for r in mine if r["seed"] in standard]
        if lost:
            kept = sum(v <= POINT + 1e-9 for v in lost)
            yield (
                f"  {title}: accuracy within a point of standard training on {kept} of {len(lost)} "
                f"seeds, {100 * sum(lost) / len(lost):+.1f} points lost in the mean"
            )
    gaps = [
        r["log10_p"] - ours[r["seed"]]["log10_p"]
        for r in mine
        if title != OURS and r["seed"] in ours
        and r["log10_p"] is not None and ours[r["seed"]]["log10_p"] is not None
    ]  # fmt: skip
    if gaps:
        yield f"  {title}: P above that of {OURS} by {min(gaps):.1f} to {max(gaps):.1f} digits"
