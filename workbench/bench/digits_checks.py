"""What a step against log P of digits costs, and how far its estimate is off image by image."""

import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from workbench import catalogue
from workbench.bench.base import Report, Row
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
STEP, IMAGE = "one step", "one image"
TIMES = 20.0
"""Plain steps that a step against log P may take."""


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """The cost of steps, side by side; then images one by one, beside `conditioned`."""
    report(0.0, "digits: the cost of a step")
    yield from steps(10 if quick else 100)
    report(0.5, "digits: images one by one")
    yield from images(5 if quick else 50)


def steps(repeats: int) -> Iterator[Row]:
    """Median processor time of a step of 64 examples in mid-training, every rule in turn."""
    rules: list[tuple[str, Rule]] = [
        ("standard", Plain()), ("PGD", PGD()), ("sampled log P", Sampled()),
        ("log P", Pointwise()), ("log P of labels, 4 lines", Pointwise(lines=4, event="label")),
    ]  # fmt: skip
    duty = digits.duty()
    made = []
    for _, rule in rules:
        trainer = Trainer(rule, steps=1_000_000, referee=None)
        begun = trainer.init(duty, Rng(0))
        row = torch.zeros(1, 6, dtype=torch.float64)
        made.append((trainer, replace(begun, ticks=500_000, rows=row)))
    spent: list[list[float]] = [[] for _ in rules]
    for _ in range(repeats + 1):  # of which the first warms up
        for k, (trainer, state) in enumerate(made):
            start = time.process_time()
            after = trainer.step(duty, state)
            spent[k].append(time.process_time() - start)
            made[k] = trainer, after
    medians = [statistics.median(s[1:]) for s in spent]
    for (title, _), seconds in zip(rules, medians, strict=True):
        yield {
            "problem": STEP, "method": title, "seconds": seconds, "times": seconds / medians[0],
            "steps": repeats,
        }  # fmt: skip


@torch.no_grad()
def images(count: int) -> Iterator[Row]:
    """Held-out images that the network of `digits` reads right, each with noise of 0.1."""
    network = catalogue.load("digits")
    x, y = digits.task().held_out
    right = torch.nonzero(network.model(x).argmax(1) == y).flatten()[:count]
    problems = [_around(network, x[i], int(y[i])) for i in right.tolist()]
    sharp = Conditioned(search="margin")
    known = [sharp(p).log10_p for p in problems]
    for lines in (0, 8, 16):
        fast = Tangent(lines=lines)
        gaps = [abs(fast(p).log10_p - k) for p, k in zip(problems, known, strict=True)]
        yield {
            "problem": IMAGE, "method": f"tangent, {lines} lines", "steps": len(gaps),
            "gap": statistics.median(gaps), "worst": max(gaps),
        }  # fmt: skip


def _around(network: Problem, x: torch.Tensor, label: int) -> Problem:
    noise = Gaussian(x.clone(), torch.full_like(x, _SIGMA))
    return network.vary(noise, Argmax(label))


def conclude(rows: list[Row]) -> Iterable[str]:
    """Figures to reach."""
    mine = [r for r in rows if r["problem"] == STEP and r["method"] == "log P"]
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
