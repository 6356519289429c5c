"""Everything that can be trained by name, with its settings: for command line and screens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench import catalogue
from workbench.errors import BadInput
from workbench.experiments import averages, duties, hushes
from workbench.experiments.course import Course
from workbench.experiments.kinds import hushing, lesson
from workbench.experiments.run import Run
from workbench.problem import Problem
from workbench.training import Defender, Duty
from workbench.training.hush import Hush
from workbench.training.trainer import Trainer

TITLES: dict[str, str] = {**duties.TITLES, **averages.TITLES, **hushes.TITLES}
"""{name: what a reader reads}."""


@dataclass(frozen=True)
class Way:
    """How trainings of one sort are made.

    Attributes:
        kind: of their runs, one of `KINDS`.
        settings_of: {setting: usual value} for a name.
        make: what trains, from all settings.
        course: the training before its first step, from a name, some settings and a seed.
    """

    kind: str
    settings_of: Callable[[str], dict[str, Any]]
    make: Callable[..., Any]
    course: Callable[[str, Mapping[str, Any], int], Course]


def way_of(name: str) -> Way:
    """How the training of that name, or of a card, is made."""
    if name in averages.AVERAGES:
        return _AVERAGE
    return _HUSH if name in hushes.TITLES else _DUTY


def settings_of(name: str) -> dict[str, Any]:
    """{setting: usual value} of the training of that name, or of a card's."""
    return way_of(name).settings_of(name)


def iteration(name: str, settings: Mapping[str, Any]) -> Defender | Trainer | Hush:
    """What trains it, from the settings that are not the usual ones.

    Raises:
        BadInput: for a setting that it has not, or that is out of range.
    """
    way = way_of(name)
    usual = way.settings_of(name)
    for key in settings:
        if key not in usual:
            raise BadInput(f"the training of {name} has no setting {key!r}: {', '.join(usual)}")
    return way.make(**{**usual, **settings})


def course(name: str, settings: Mapping[str, Any], seed: int) -> Course:
    """A training before its first step; errors as `iteration`, or for an unknown name."""
    return way_of(name).course(name, settings, seed)


def own(duty: Duty, settings: Mapping[str, Any], seed: int) -> Course:
    """A training of a network of one's own, a copy of it; errors as `iteration`."""
    made = duties.defender(**{**duties.settings_of(), **settings})
    return lesson(duty.fresh(), made, seed)


def elsewhere(subject: Course, device: str | torch.device) -> Course:
    """The training of a duty before its first step, on another device; errors as `Duty.to`."""
    made = subject.iteration
    assert isinstance(made, Defender | Trainer)
    return lesson(subject.problem.to(device), made, subject.seed)


def trained(subject: Course, theta: Tensor | None = None) -> Problem:
    """The problem of a training with M as it stands; of a hush the best M within its limit.

    Its truth is not known: M is another than it was.

    Args:
        subject: the training.
        theta: the weights `(p,)` to give M, in place of those that the training is at.
    """
    if isinstance(subject.iteration, Hush):
        best = subject.state.best if theta is None else theta
        return subject.problem.vary(distribution=subject.iteration.text(subject.problem, best))
    return subject.problem.trained(subject.state.theta if theta is None else theta)


def begin(name: str, settings: Mapping[str, Any], seed: int) -> Run:
    """A run of it before its first step; errors as `course`."""
    return Run(course(name, settings, seed), way_of(name).kind)


def _duty(name: str, settings: Mapping[str, Any], seed: int) -> Course:
    duty = duties.fresh(name)
    made = iteration(duty.problem.name, settings)
    assert not isinstance(made, Hush)
    return lesson(duty, made, seed)


def _average(name: str, settings: Mapping[str, Any], seed: int) -> Course:
    made = iteration(name, settings)
    assert not isinstance(made, Hush)
    return lesson(averages.AVERAGES[name](seed), made, seed)


def _hush(name: str, settings: Mapping[str, Any], seed: int) -> Course:
    made = iteration(name, settings)
    assert isinstance(made, Hush)
    return hushing(catalogue.load(name), made, seed)


_DUTY = Way("train", duties.settings_of, duties.defender, _duty)
_AVERAGE = Way("train", lambda name: averages.settings_of(), averages.trainer, _average)
_HUSH = Way("hush", lambda name: hushes.settings_of(), Hush, _hush)
