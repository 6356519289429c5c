"""The laboratory of tiny networks: how often one is right, and what it costs to know it.

No interface here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import param

from workbench import catalogue
from workbench.bench.algzoo import noised, sampled
from workbench.catalogue.algzoo import TASKS
from workbench.estimators import LastInput
from workbench.iteration import UNLIMITED
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.views.lab import LabSession

JOB, BENT = "accuracy", "bent"
"""The jobs: the accuracy and the errors of both ways, the accuracy by noise."""
REPEATS = 8
"""Nets of points, and lots of draws, of which an error is the root mean square."""
_POINTS = tuple(1 << k for k in range(6, 14))
_NOISES = tuple(k / 20 for k in range(21))


def networks() -> dict[str, str]:
    """{what a reader reads: name of the problem}, the smallest networks of a task first."""
    found = {}
    sizes = {name: catalogue.tiny_size(name) for name in catalogue.algzoo_names()}
    for name in sorted(sizes, key=lambda name: sizes[name]):
        task, h, n = name.split("_")[1:]
        how = "by hand" if h == "built" else f"{h[1:]} ReLUs"
        what = TASKS[task].removeprefix("points at the ")
        found[f"{what} of {n[1:]}, {how}, {sizes[name]} weights"] = name
    return dict(sorted(found.items(), key=lambda pair: pair[1].split("_")[1]))


@dataclass(frozen=True)
class Known:
    """An accuracy P from the weights.

    Args:
        p: P.
        error: its standard error, 0 where P is exact.
        forwards: operations spent, in forward passes.
        points: of each net.
        along: whether it was followed along half-planes, rather than the network run at points.
    """

    p: float
    error: float
    forwards: float
    points: int
    along: bool


@dataclass(frozen=True)
class Errors:
    """Root mean square errors of P for the same operations.

    Args:
        forwards: what both spent, in forward passes.
        weights: of one net of points.
        draws: of as many draws.
    """

    forwards: float
    weights: float
    draws: float


def known(problem: Problem, points: int, nets: int, rng: Rng) -> Known:
    """P by `LastInput`."""
    found = LastInput(points, nets)(problem, UNLIMITED, rng)
    p, spent = math.exp(float(found.log_p)), found.cost.forwards
    each = spent / (points * int(found.info["nets"]))
    return Known(p, p * (found.log_err or 0.0), spent, points, each != 1.0)


class TinySession(LabSession):
    """One visitor's network. `close()` ends its worker."""

    kept: ClassVar[tuple[str, ...]] = ("network", "noise", "seed")

    network = param.Selector(
        objects=networks(), default="algzoo_second_h4_n5", label="Network",
        doc="What it was trained to find among the numbers that it reads, and how large it is.",
    )  # fmt: skip
    noise = param.Number(
        0.0, bounds=(0.0, 1.0), label="Weight noise",
        doc="Standard deviation of the noise added to every weight, relative to the root mean "
        "square of its matrix; at 1 little is left of what was learnt.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, None), label="Seed", doc="Determines the noise and all points."
    )

    @property
    def known(self) -> Known | None:
        """The best value of P so far."""
        return self.found(JOB).get("known")

    @property
    def curve(self) -> tuple[Errors, ...]:
        """Errors by compute, as far as it has come."""
        return self.found(JOB).get("curve", ())

    @property
    def bent(self) -> tuple[tuple[float, float], ...]:
        """(noise, P), along one line of weights."""
        return self.found(BENT).get("curve", ())

    def begin(self) -> None:
        """A first view without a click."""
        self.measure()

    def settled(self) -> None:
        """Another network: from the start."""
        self.measure()

    def measure(self) -> None:
        """P from the weights, its error and that of draws, and P by noise."""
        rng = Rng(int(self.seed)).child("tiny", str(self.network))
        plain = catalogue.load(str(self.network))
        problem = noised(plain, rng.child("weights"), float(self.noise))
        self.worker.start(JOB, _measured(problem, rng))
        self.worker.start(BENT, _bent(plain, rng))


def _measured(problem: Problem, rng: Rng) -> Iterator[dict[str, Any]]:
    yield {"known": known(problem, 1 << 12, 4, rng.child("first"))}
    best = known(problem, 1 << 15, 8, rng.child("truth"))
    yield {"known": best}
    curve: tuple[Errors, ...] = ()
    for points in _POINTS:
        mine, theirs, n = 0.0, 0.0, 0
        for k in range(REPEATS):
            found = known(problem, points, 1, rng.child("net", points, k))
            # An exact value costs a few passes only, of which draws tell nothing.
            n = round(found.forwards) if best.error else points
            mine += (found.p - best.p) ** 2
            theirs += (sampled(problem, n, rng.child("draws", points, k)) - best.p) ** 2
        weights = math.sqrt(mine / REPEATS) if best.error else 0.0
        curve = (*curve, Errors(n, weights, math.sqrt(theirs / REPEATS)))
        yield {"curve": curve}


def _bent(plain: Problem, rng: Rng) -> Iterator[dict[str, Any]]:
    curve: tuple[tuple[float, float], ...] = ()
    for noise in _NOISES:
        copy = noised(plain, rng.child("weights"), noise)
        curve = (*curve, (noise, known(copy, 1 << 11, 1, rng.child("bent")).p))
        yield {"curve": curve}
