"""What a step against log P of digits costs, and how far its estimate is off image by image."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial

import torch

from workbench import catalogue
from workbench.bench.base import Row, Work
from workbench.bench.digits_rules import OURS
from workbench.distributions import Gaussian
from workbench.estimators import Conditioned, Tangent
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax
from workbench.training import digits
from workbench.training.baselines import PGD, Plain, Sampled
from workbench.training.pointwise import Pointwise
from workbench.training.rule import Rule
from workbench.training.trainer import Trainer

_SIGMA = 0.1
_MIDDLE = 5_000  # steps before the one that is timed, and after it
STEP, IMAGE = "digits: one step", "digits: one image"
TIMES = 20.0
"""Plain steps that a step against log P may take."""


RULES: dict[str, Rule] = {
    "standard": Plain(), "PGD": PGD(), "sampled log P": Sampled(), OURS: Pointwise(),
    "log P of labels, 4 lines": Pointwise(lines=4, event="label"),
}  # fmt: skip


def works(quick: bool) -> list[Work]:
    """The cost of steps; then images one by one, beside `conditioned`."""
    repeats, count = (10, 5) if quick else (100, 50)
    costs = [Work(STEP, title, 0, partial(step, rule, repeats)) for title, rule in RULES.items()]
    each = [
        Work(IMAGE, f"tangent, {lines} lines", 0, partial(images, lines, count))
        for lines in (0, 8, 16)
    ]
    return [*costs, *each]


def step(rule: Rule, repeats: int) -> Row:
    """Median processor time of a step of 64 examples in mid-training, and that of a plain one, the
    two in turn."""
    duty = digits.duty()
    made, spent = [], ([], [])
    for one in (Plain(), rule):
        trainer = Trainer(one, steps=2 * _MIDDLE, referee=None)
        begun = trainer.init(duty, Rng(0))
        rows = torch.zeros(_MIDDLE, 6, dtype=torch.float64)
        made.append((trainer, replace(begun, ticks=_MIDDLE, rows=rows)))
    for _ in range(repeats + 1):  # of which the first warms up
        for k, (trainer, state) in enumerate(made):
            start = time.process_time()
            after = trainer.step(duty, state)
            spent[k].append(time.process_time() - start)
            made[k] = trainer, after
    plain, own = (statistics.median(s[1:]) for s in spent)
    return {"seconds": own, "times": own / plain, "steps": repeats}


def images(lines: int, count: int) -> Row:
    """How far `tangent` is from `conditioned` on held-out images that the network of `digits` reads
    right, each with noise of 0.1."""
    posed, known = _known(count)
    fast = Tangent(lines=lines)
    with torch.no_grad():
        gaps = [abs(fast(p).log10_p - k) for p, k in zip(posed, known, strict=True)]
    return {"steps": len(gaps), "gap": statistics.median(gaps), "worst": max(gaps)}


@cache
@torch.no_grad()
def _known(count: int) -> tuple[list[Problem], list[float]]:
    network = catalogue.load("digits")
    x, y = digits.task().held_out
    right = torch.nonzero(network.model(x).argmax(1) == y).flatten()[:count]
    problems = [_around(network, x[i], int(y[i])) for i in right.tolist()]
    sharp = Conditioned(search="margin")
    return problems, [sharp(p).log10_p for p in problems]


def _around(network: Problem, x: torch.Tensor, label: int) -> Problem:
    noise = Gaussian(x.clone(), torch.full_like(x, _SIGMA))
    return network.vary(noise, Argmax(label))


def conclude(rows: list[Row]) -> Iterable[str]:
    """Figures to reach."""
    mine = [r for r in rows if r["problem"] == STEP and r["method"] == OURS]
    for row in mine:
        yield (
            f"a step against log P takes {row['times']:.1f} plain steps of the same batch "
            f"({TIMES:.0f} at most)"
        )
    for row in rows:
        if row["problem"] == IMAGE:
            yield (
                f"{row['method']}: {row['gap']:.3f} digits from conditioned in the median of "
                f"{row['steps']} images, {row['worst']:.2f} at most"
            )
