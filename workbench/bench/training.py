"""Trainings against log P, each judged by samplers and by adversaries that no step of it saw."""

import math
import time
from collections.abc import Iterable, Iterator
from functools import partial

from workbench.adversaries import KL, Adversary, Attack, baseline, checking
from workbench.adversaries.baselines import CrossEntropy
from workbench.bench import digits, digits_checks, training_toys
from workbench.bench.base import Bench, Choice, Column, Report, Row, Work, carried_out
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Conditioned, Moments
from workbench.iteration import Budget, run
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training import Defender, toys

BARRED = "regression"
NATS = 2.0
AIM, SECONDS = -9.0, 10.0
"""log10 P to be below under every law, and the processor time it may take."""

_ATTACKED = 20_000
_SHARP = Conditioned(lines=96, tolerance=0.2, search="margin")


def methods() -> dict[str, Defender | None]:
    """How the toy is trained: its task alone, against D0, and against an adversary's D too."""
    adversary = Adversary(region=KL(NATS), estimator=Moments(), steps=6)
    return {
        "task alone": None,
        "log P under D0": Defender(),
        "log P under D0 and adversary": Defender(adversary=adversary, target=AIM - 2.0, renew=10),
    }


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """Everything, over five seeds; quick, over one."""
    yield from choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The rows of a part. Raises `BadInput` on an unknown name, or for a budget."""
    if choice.budget is not None:
        raise BadInput("the trainings of this bench have their steps: no --budget")
    yield from carried_out(
        _works(quick, choice.seeds or (1 if quick else 5)), choice, quick, report
    )


def _works(quick: bool, seeds: int) -> list[Work]:
    """The regression toy, a row a method and seed; the other toys; digits on average."""
    return [
        *(
            Work(BARRED, method, seed, partial(_row, seed, method))
            for seed in range(seeds)
            for method in methods()
        ),
        *training_toys.works(quick, seeds),
        *digits_checks.works(quick),
        *digits.works(quick, seeds),
    ]


def _row(seed: int, method: str) -> Row:
    duty, defender = toys.regression(seed), methods()[method]
    steps, seconds, exploited = 0, 0.0, False
    if defender is not None:
        start = time.process_time()
        last, _ = run(defender, duty, defender.init(duty, Rng(seed)), Budget(None, 600.0))
        seconds = time.process_time() - start
        trained = defender.read(last)
        duty.put(trained.theta)
        steps, exploited = last.ticks, trained.exploited
    problem, rng = duty.problem, Rng(seed).child("bench")
    own = _SHARP(problem, None, rng.child("own"))
    judged = checking.check(problem, own.log10_p * math.log(10.0), rng.child("judge"))
    return {
        "score": duty.task.score(problem.model),
        "estimate": own.log10_p, "log10_p": judged.log10_p, "err": judged.log10_err,
        "own": _attacked(problem, rng),
        "cross_entropy": _checked(baseline(problem, CrossEntropy(nats=NATS), _ATTACKED, rng)),
        "steps": steps, "seconds": seconds, "exploited": exploited,
    }  # fmt: skip


def _attacked(problem: Problem, rng: Rng) -> float | None:
    """log10 P under the D of an adversary that starts afresh on what was trained, checked."""
    try:
        found = Adversary(region=KL(NATS), estimator=_SHARP, steps=12)(problem, rng=rng)
    except Unsupported:  # its estimate is -inf under D0: it has no slope to climb
        return None
    return _checked(found.check(rng.child("check")))


def _checked(found: Attack) -> float | None:
    seen = found.checked
    return seen.log10_p if seen is not None and math.isfinite(seen.log10_p) else None


def conclude(rows: list[Row]) -> Iterable[str]:
    """Figures to reach, and how many seeds reach them."""
    barred = [r for r in rows if r["problem"] == BARRED]
    for method in dict.fromkeys(r["method"] for r in barred if r["steps"]):
        mine = [r for r in barred if r["method"] == method]
        judges = ("log10_p", "own", "cross_entropy")
        below = [all(r[k] is not None and r[k] < AIM for k in judges) for r in mine]
        in_time = sum(r["seconds"] < SECONDS for r in mine)
        apart = sum(not r["exploited"] and abs(r["estimate"] - r["log10_p"]) > 1.0 for r in mine)
        yield (
            f"{method}: below 10^{AIM:.0f} under D0 and both adversaries with {NATS:.0f} nats on "
            f"{sum(below)} of {len(mine)} seeds, in {SECONDS:.0f} CPU seconds on {in_time}; more "
            f"than a digit from the judge and not marked on {apart}"
        )
    yield from training_toys.conclude(rows)
    yield from digits_checks.conclude(rows)
    yield from digits.conclude(rows)


TRAINING = Bench(
    "training",
    "toys and digits trained against log P, judged by samplers: D0, two adversaries, triggers",
    (
        Column("problem", "problem"),
        Column("seed", "seed", "count"),
        Column("method", "trained on"),
        Column("score", "score", "small"),
        Column("lost", "lost of it", "small"),
        Column("before", "P before", "power"),
        Column("estimate", "estimate", "power"),
        Column("log10_p", "judged", "power", error="err"),
        Column("own", "own D", "power"),
        Column("cross_entropy", "cross-entropy's D", "power"),
        Column("all", "of all images", "power"),
        Column("trigger", "at the trigger <", "power"),
        Column("steps", "steps", "count"),
        Column("seconds", "CPU", "seconds"),
        Column("times", "x plain", "small"),
        Column("gap", "off by", "small"),
        Column("worst", "at most", "small"),
        Column("exploited", "exploited"),
    ),
    measure,
    conclude,
    sections=("problem",),
    choose=choose,
    resumes=True,
    apart=True,
)  # fmt: skip
