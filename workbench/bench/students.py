"""Whole students trained on propagated moments, against whole students trained on draws."""

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence

import torch

from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.distributions import Gaussian
from workbench.rng import Rng
from workbench.training.student import Layer, Teacher, drawn, trained
from workbench.training.student import run as forward

SIZES = ((64, 1), (128, 1), (64, 2), (128, 2), (256, 2), (64, 4), (128, 4), (256, 4))
"""Width of the teacher, and its hidden layers."""
QUICK = ((64, 1), (64, 2))
OUTPUTS, NARROWER = 16, 4
SEEDS, QUICK_SEEDS = 10, 2
KEPT = (2048, 8192)
"""Draws kept, of which L-BFGS finds the best student."""
RATES, BATCH = (0.003, 0.01), 256
"""Learning rates of Adam on fresh draws, and how many a step."""
_TRUTH, _PER_WIDTH = 1 << 15, 1.0 / 128


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size, on one thread, in float32; CPU time in proportion to the width."""
    sizes, seeds = (QUICK, QUICK_SEEDS) if quick else (SIZES, SEEDS)
    with one_thread():
        for i, (width, hidden) in enumerate(sizes):
            found: dict[str, list[float]] = {}
            for seed in range(seeds):
                report((i + seed / seeds) / len(sizes), f"{width} x {hidden}")
                for name, error in _errors(width, hidden, Rng(seed), quick).items():
                    found.setdefault(name, []).append(error)
            yield _row(f"{width} x {hidden}", _seconds(width, quick), found)


def _errors(width: int, hidden: int, rng: Rng, quick: bool) -> dict[str, float]:
    """E|S - T|^2 over E|T - E T|^2, on fresh draws, of every way to train the same student."""
    rng = rng.child("students", width, hidden)
    seconds = _seconds(width, quick)
    teacher = random_layers([width] * (hidden + 1) + [OUTPUTS], rng.child("teacher"))
    narrow = [width] + [width // NARROWER] * hidden + [OUTPUTS]
    student = random_layers(narrow, rng.child("student"))
    d = Gaussian(torch.zeros(width), torch.ones(width))
    made = {"propagated": trained(Teacher.of(teacher, d).beside, student[:-1], seconds)}
    for n in KEPT:
        x = d.sample(n, rng.child("kept", n).generator())
        made[f"kept {n}"] = trained(drawn(teacher, x), student[:-1], seconds)
    for rate in RATES:
        made[f"fresh {rate}"] = adam(
            teacher, student, d, rate, seconds, rng.child("fresh", str(rate))
        )
    x = d.sample(_TRUTH, rng.child("truth").generator())
    y = forward(teacher, x)
    whole = (y - y.mean(0)).square().sum()
    return {name: float((forward(s, x) - y).square().sum() / whole) for name, s in made.items()}


def random_layers(widths: Sequence[int], rng: Rng) -> list[Layer]:
    """No biases, weights N(0, 1/n) in the first layer, then N(0, 2/n); ReLUs between."""
    generator, layers = rng.generator(), []
    for i in range(len(widths) - 1):
        gain = (2.0 if i else 1.0) / widths[i]
        weight = torch.randn(widths[i + 1], widths[i], generator=generator) * gain**0.5
        name = "relu" if i < len(widths) - 2 else ""
        layers.append((weight, torch.zeros(widths[i + 1]), name))
    return layers


def adam(
    teacher: list[Layer], student: list[Layer], d: Gaussian, rate: float, seconds: float, rng: Rng
) -> list[Layer]:
    """The student after this CPU time of Adam on fresh draws, its rate falling by half a cosine."""
    generator = rng.generator()
    free = [w.clone().requires_grad_() for layer in student for w in layer[:2]]
    layers = [(free[2 * i], free[2 * i + 1], name) for i, (*_, name) in enumerate(student)]
    optimiser = torch.optim.Adam(free, lr=rate)
    start = time.process_time()
    while (done := (time.process_time() - start) / seconds) < 1.0:
        optimiser.param_groups[0]["lr"] = 0.5 * rate * (1.0 + math.cos(math.pi * done))
        x = d.sample(BATCH, generator)
        with torch.no_grad():
            y = forward(teacher, x)
        optimiser.zero_grad()
        (forward(layers, x) - y).square().sum(1).mean().backward()
        optimiser.step()
    return [(w.detach(), b.detach(), name) for w, b, name in layers]


def _seconds(width: int, quick: bool) -> float:
    return width * _PER_WIDTH / (4.0 if quick else 1.0)


def _row(size: str, seconds: float, found: dict[str, list[float]]) -> Row:
    mine = found.pop("propagated")
    theirs = [min(errors) for errors in zip(*found.values(), strict=True)]
    gaps = [b - a for a, b in zip(mine, theirs, strict=True)]
    return {
        "size": size,
        "seconds": seconds,
        "propagated": statistics.fmean(mine),
        "kept": _best(found[f"kept {n}"] for n in KEPT),
        "fresh": _best(found[f"fresh {r}"] for r in RATES),
        "gap": statistics.fmean(gaps),
        "error": statistics.stdev(gaps) / math.sqrt(len(gaps)),
        "won": f"{sum(g > 0 for g in gaps)} of {len(gaps)}",
    }


def _best(ways: Iterable[list[float]]) -> float:
    """Mean over seeds of the least of several ways' errors."""
    return statistics.fmean(min(errors) for errors in zip(*ways, strict=True))


def conclude(rows: list[Row]) -> Iterator[str]:
    """Where propagation wins, and where not."""
    yield (
        "A student with a quarter of the teacher's width, all of its layers trained in the same "
        "CPU time: E|S - T|^2 over the teacher's variance, measured on fresh draws. Of draws the "
        "best of four ways counts for each seed, chosen with hindsight: L-BFGS on 2,048 or 8,192 "
        "that are kept, Adam on fresh ones at two rates. Gap: how much lower propagation's is."
    )
    won = [r for r in rows if r["gap"] > 2.0 * r["error"]]
    lost = [r for r in rows if r["gap"] < -2.0 * r["error"]]
    even = [r["size"] for r in rows if r not in won and r not in lost]
    told = [
        f"{what} {', '.join(f'''{r['size']} ({abs(r['gap']):.2g})''' for r in which)}"
        for what, which in (("propagation is better at", won), ("draws are better at", lost))
        if which
    ]
    yield "; ".join(told + ([f"no difference at {', '.join(even)}"] if even else [])) + "."


STUDENTS = Bench(
    name="students",
    about="whole students trained on propagated moments, against as much CPU time of draws",
    columns=(
        Column("size", "teacher"),
        Column("seconds", "CPU s", "small"),
        Column("propagated", "propagated", "small"),
        Column("kept", "kept draws", "small"),
        Column("fresh", "fresh draws", "small"),
        Column("gap", "gap", "small"),
        Column("error", "±", "small"),
        Column("won", "won"),
    ),
    run=measure,
    conclude=conclude,
)
