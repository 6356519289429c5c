"""Convolutional networks of the size that people have: do estimates come, how soon, in what memory.

No truth is known behind 33,000 neurons: answers are held against that of subset simulation
with many more forward passes.
"""

import math
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Gaussian
from workbench.errors import Unsupported
from workbench.estimators import (
    Conditioned,
    DesignPoint,
    Estimate,
    Estimator,
    Importance,
    Moments,
    MonteCarlo,
    Subset,
)
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace

METHODS: tuple[Estimator, ...] = (
    Moments(), MonteCarlo(), DesignPoint(), Conditioned(), Subset(), Importance(),
)  # fmt: skip
CLASSES, NOISE, LEVEL = 10, 0.1, 4.5
"""Deviation of the pixels' noise; deviations of the linearised margin from the image to C."""


@dataclass(frozen=True)
class Size:
    """Pixels on a side, channels, stride of the first two convolutions."""

    pixels: int
    channels: int
    stride: int


@dataclass(frozen=True)
class Scale:
    """Networks, forward passes of an estimate and of the referee."""

    sizes: tuple[Size, ...]
    budget: int
    referee: int


FULL = Scale((Size(32, 32, 1), Size(224, 16, 4)), 5_000, 40_000)
QUICK = Scale((Size(16, 8, 1),), 4_000, 60_000)


def problem(size: Size) -> Problem:
    """A random network in float32 on noise around a random image, three colours; C: the second
    class's output is above the first's by as much as 4.5 linearised deviations make."""
    generator = Rng(0).child("images", size.pixels, size.channels).generator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        c, single = size.channels, torch.float32
        net = nn.Sequential(
            nn.Unflatten(1, (3, size.pixels, size.pixels)),
            nn.Conv2d(3, c, 3, size.stride, padding=1, dtype=single),
            nn.BatchNorm2d(c, dtype=single), nn.ReLU(),
            nn.Conv2d(c, c, 3, size.stride, padding=1, dtype=single),
            nn.BatchNorm2d(c, dtype=single), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(c, c, 3, padding=1, dtype=single), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * c, CLASSES, dtype=single),
        ).eval()  # fmt: skip
    image = torch.rand(3 * size.pixels**2, generator=generator, dtype=torch.float32)
    at = image.clone().requires_grad_()
    with torch.enable_grad():
        y = net(at[None])[0]
        (slope,) = torch.autograd.grad(y[1] - y[0], at)
    away = float((y[1] - y[0]).detach() + LEVEL * NOISE * slope.norm())
    one = torch.eye(CLASSES, dtype=torch.float32)
    d = Gaussian(image, torch.full_like(image, NOISE))
    return Problem(d, net, Halfspace(one[1] - one[0], -away), name=f"3 x {size.pixels}^2")


@torch.no_grad()
def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a network and estimator, after the referee's."""
    scale = QUICK if quick else FULL
    for i, size in enumerate(scale.sizes):
        case, known = problem(size), math.nan
        works = [
            ("referee", Subset(), scale.referee),
            *((m.name, m, scale.budget) for m in METHODS),
        ]
        for k, (name, method, budget) in enumerate(works):
            report((i + k / len(works)) / len(scale.sizes), f"{case.name}, {name}")
            began, found, said = time.perf_counter(), None, ""
            try:
                found = method(case, budget)
            except Unsupported as error:
                said = error.what
            known = found.log10_p if found is not None and name == "referee" else known
            yield _row(case, name, found, said, known, time.perf_counter() - began)


def _row(
    case: Problem, name: str, found: Estimate | None, said: str, known: float, seconds: float
) -> Row:
    row = {"problem": case.name, "method": name, "seconds": seconds, "peak": peak(), "said": said}
    if found is None:
        return row
    told = found.log10_err if found.log10_err is not None else found.indicator
    off = found.log10_p - known
    return {
        **row,
        "log10_p": found.log10_p,
        "told": told if told is not None and math.isfinite(told) else None,
        "off": off if math.isfinite(off) and name != "referee" else None,
        "forwards": found.cost.forwards,
        "said": "it warns of itself" if found.warning else "",
    }


def peak() -> float:
    """Gigabytes that this process has held at most so far."""
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def conclude(rows: list[Row]) -> Iterator[str]:
    """Who answers, and in what memory."""
    refused = [r for r in rows if "log10_p" not in r]
    for r in refused:
        yield f"{r['method']} refuses {r['problem']}: {r['said']}."
    near = [r for r in rows if r.get("off") is not None and r.get("told")]
    if near:
        held = sum(abs(r["off"]) <= 2.0 * r["told"] for r in near)
        yield f"{held} of {len(near)} answers that tell an error are within twice of it."
    yield f"All in {max(r['peak'] for r in rows):.1f} GB."


IMAGES = Bench(
    name="images",
    about="convolutional networks on images of 3 x 32 x 32 and 3 x 224 x 224: estimates, memory",
    columns=(
        Column("problem", "input"),
        Column("method", "estimator"),
        Column("log10_p", "estimate", "power"),
        Column("told", "error told", "digits"),
        Column("off", "off the referee", "error"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
        Column("peak", "GB so far", "small"),
        Column("said", ""),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
)
