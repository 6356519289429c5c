"""The laboratory of students: fitted to propagated moments, or to draws. No interface here."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import param
import torch

from workbench import propagation
from workbench.bench.distillation import METHODS, NARROWER, OUTPUTS, pair
from workbench.bench.random_nets import cpu_seconds
from workbench.distributions import Gaussian
from workbench.rng import Rng
from workbench.training.distillation import Moments, beside, pooled, propagated, sampled
from workbench.views.lab import LabSession

JOB = "students"
REPEATS = 3
"""Lots of draws of which an excess is the mean."""
_PART, _PARTS, _MOST = 1 << 13, 16, 1 << 15


@dataclass(frozen=True, eq=False)
class Student:
    """A readout that was fitted.

    Args:
        seconds: of CPU time that its moments took.
        readout: V and c.
    """

    seconds: float
    readout: tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Fit:
    """How good students of one making are, over the teacher's variance.

    Args:
        draws: that each is fitted to; 0 for propagated moments.
        seconds: of CPU time, in the median.
        excess: mean squared error beyond that of the best readout.
    """

    draws: int
    seconds: float
    excess: float


@dataclass(frozen=True)
class Standing:
    """What is known of one teacher and its students.

    Args:
        least: squared error of the best readout, over the teacher's variance.
        floor: what the reference itself adds to every excess, in the mean.
        propagated: {propagator: its student}.
        drawn: students of draws, by number of draws.
    """

    least: float
    floor: float
    propagated: dict[str, Fit]
    drawn: tuple[Fit, ...]


class StudentsSession(LabSession):
    """One visitor's teacher. `close()` ends its worker."""

    kept: ClassVar[tuple[str, ...]] = ("width", "hidden", "seed")

    width = param.Selector(
        objects=[64, 128, 256], default=64, label="Teacher's width",
        doc=f"Neurons per hidden layer; its student has 1/{NARROWER} of them, in as many layers.",
    )  # fmt: skip
    hidden = param.Selector(
        objects=[1, 2, 4, 8], default=2, label="Hidden layers",
        doc="Of the teacher and of its student: with one, propagated moments are exact.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, None), label="Seed", doc="Determines both networks and all draws."
    )

    @property
    def standing(self) -> Standing | None:
        """What is known so far."""
        return self.found(JOB).get("standing")

    def begin(self) -> None:
        """A first view without a click."""
        self.fit()

    def settled(self) -> None:
        """Another teacher: from the start."""
        self.fit()

    def fit(self) -> None:
        """Fit students of both kinds, and hold them against a reference that grows."""
        rng = Rng(int(self.seed)).child("students", int(self.width), int(self.hidden))
        self.worker.start(JOB, _steps(int(self.width), int(self.hidden), rng))


def _steps(width: int, hidden: int, rng: Rng) -> Iterator[dict[str, Any]]:
    joint, d = beside(*pair(width, hidden, rng)), Gaussian(torch.zeros(width), torch.ones(width))
    parts = [sampled(joint, OUTPUTS, d, _PART, rng.child("truth", k)) for k in range(2)]
    mine: dict[str, Student] = {}
    theirs: dict[int, list[Student]] = {}

    def told() -> dict[str, Any]:
        return {"standing": _standing(parts, mine, theirs)}

    for propagator in (cls() for cls in propagation.ALL if cls.name in METHODS):

        def work(p: propagation.Propagator = propagator) -> Any:
            return propagated(joint, OUTPUTS, d, p).readout()

        seconds = cpu_seconds(work, repeats=3, clock=time.thread_time)
        mine[propagator.name] = Student(seconds, work())
        yield told()
    draws = 8 * (width // NARROWER)  # fewer fit next to nothing
    while draws <= _MOST:
        theirs[draws] = []
        sampled(joint, OUTPUTS, d, draws, rng.child("warm"))  # the first of a size is slow
        for k in range(REPEATS):
            start = time.thread_time()
            moments = sampled(joint, OUTPUTS, d, draws, rng.child("draws", draws, k))
            readout = moments.readout()
            theirs[draws].append(Student(time.thread_time() - start, readout))
        yield told()
        draws *= 2
    while len(parts) < _PARTS:
        parts.append(sampled(joint, OUTPUTS, d, _PART, rng.child("truth", len(parts))))
        yield told()


def _standing(
    parts: list[Moments], mine: dict[str, Student], theirs: dict[int, list[Student]]
) -> Standing:
    reference = pooled(parts)
    least, whole = reference.left()
    half = len(parts) // 2
    # Half against half has the errors of two samples of half the size: four times that of all.
    apart = pooled(parts[half:]).excess(*pooled(parts[:half]).readout())

    def fit(draws: int, students: list[Student]) -> Fit:
        return Fit(
            draws,
            statistics.median(s.seconds for s in students),
            statistics.fmean(reference.excess(*s.readout) for s in students) / whole,
        )

    return Standing(
        least / whole,
        apart / 4.0 / whole,
        {name: fit(0, [s]) for name, s in mine.items()},
        tuple(fit(draws, students) for draws, students in theirs.items()),
    )
