"""Trainings of controllers and of networks with a planted trigger, judged by who knows of it."""

import math
import time
from collections.abc import Callable, Iterable
from functools import partial

from workbench.bench.base import Row, Work
from workbench.estimators import Conditioned
from workbench.estimators.monte_carlo import clopper_pearson
from workbench.iteration import Budget, run
from workbench.math.logspace import LN10
from workbench.rng import Rng
from workbench.training import Defender, Duty, Referee, toys
from workbench.training.toys.backdoor import trigger

SAFER, COSTLIER, REMOVED = 3.0, 0.05, 4.0
"""Digits that the controller is to gain and what that may cost; digits for a planted trigger."""

DEFENDED = "log P under D0"
_JUDGED, _GIVEN, _PIECE = 200_000, 4_000_000, 200_000


def controlled() -> Defender:
    """With a thirtieth of the cost to spend."""
    sharp = Conditioned(lines=96, tolerance=0.2, search="margin")
    return Defender(
        sharp, steps=80, rate=3e-3, batch=512, price=1e-3, target=-10.0, allowance=0.03,
        then="go on",
    )  # fmt: skip


def disarmed(name: str) -> Defender:
    """Told of nothing but log P, whose estimate reads the weights."""
    constrained = name == "mintree"  # whose trigger shares all of its weights with the task
    return Defender(
        Conditioned(), steps=60, rate=2e-3, target=-12.0, then="go on",
        price=1e-3 if constrained else 3e-3, allowance=0.03 if constrained else None,
    )  # fmt: skip


def works(quick: bool, seeds: int) -> list[Work]:
    """A row a toy and seed."""
    made: list[tuple[str, Callable[[int], Duty], Defender]] = [
        ("controller", toys.controller, controlled()),
        *((name, partial(toys.backdoor, name), disarmed(name)) for name in toys.PLANTED),
    ]
    return [
        Work(name, DEFENDED, seed, partial(_row, name, seed, make, defender, quick))
        for name, make, defender in made
        for seed in range(seeds)
    ]


def _row(name: str, seed: int, make: Callable[[int], Duty], defender: Defender, quick: bool) -> Row:
    duty = make(seed)
    referee, rng = Referee(budget=_JUDGED), Rng(seed).child("bench", name)
    score = duty.task.score(duty.problem.model)
    before, _, _ = referee.judge(duty.problem, -4.0, rng.child("before"), duty.watched)
    start = time.process_time()
    last, _ = run(defender, duty, defender.init(duty, Rng(seed)), Budget(None, 600.0))
    seconds = time.process_time() - start
    duty.put(last.theta)
    own = defender.estimator(duty.problem, rng=rng.child("own")).log10_p
    found, err, parted = referee.judge(duty.problem, own, rng.child("after"), duty.watched)
    row = {
        "before": before,
        "estimate": own, "log10_p": found, "err": err if math.isfinite(err) else None,
        "score": duty.task.score(duty.problem.model), "steps": last.ticks, "seconds": seconds,
        "exploited": last.exploited or parted,
    }  # fmt: skip
    row["lost"] = duty.task.lost(score, row["score"])
    if name in toys.PLANTED:
        row["trigger"] = _given_trigger(name, duty, _PIECE if quick else _GIVEN, rng)
    return row


def _given_trigger(name: str, duty: Duty, n: int, rng: Rng) -> float:
    """The upper end of the exact 95% interval of log10 P[trigger and C]: P of the trigger is known,
    and C is counted among draws of D0 given the trigger."""
    planted, hits = trigger(name), 0
    for k in range(n // _PIECE):
        x = planted.draw(_PIECE, rng.child("given", k).generator())
        hits += int((duty.problem.margin(x) > 0).sum())
    return (planted.log_p + clopper_pearson(hits, n)[1]) / LN10


def conclude(rows: list[Row]) -> Iterable[str]:
    """Figures to reach, and how many seeds reach them."""
    steered = [r for r in rows if r["problem"] == "controller"]
    if steered:
        safer = [r["before"] - r["log10_p"] > SAFER and r["lost"] < COSTLIER for r in steered]
        gains = [r["before"] - r["log10_p"] for r in steered]
        yield (
            f"controller: leaves the track 10^{SAFER:.0f} times less often at less than "
            f"{COSTLIER:.0%} more cost on {sum(safer)} of {len(steered)} seeds; by "
            f"{min(gains):.1f} digits or more, for {max(r['lost'] for r in steered):.1%} or less"
        )
    for name in toys.PLANTED:
        mine = [r for r in rows if r["problem"] == name]
        if mine:
            gone = [r["before"] - max(r["log10_p"], r["trigger"]) for r in mine]
            yield (
                f"{name}: P, and P[trigger and C] at 95%, down by {min(gone):.1f} digits or more "
                f"on {len(mine)} seeds, by {REMOVED:.0f} on {sum(g > REMOVED for g in gone)}; "
                f"{max(r['lost'] for r in mine):.1%} or less of the variance of its outputs lost"
            )
