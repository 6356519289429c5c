"""Everything that can be trained by name, with its settings: for command line and screens."""

from collections.abc import Mapping
from typing import Any

from workbench.errors import BadInput
from workbench.experiments import averages, duties
from workbench.experiments.course import Course
from workbench.experiments.kinds import lesson
from workbench.training import Defender
from workbench.training.trainer import Trainer

TITLES: dict[str, str] = {**duties.TITLES, **averages.TITLES}
"""{name: what a reader reads}."""


def settings_of(name: str) -> dict[str, Any]:
    """{setting: usual value} of the training of that name, or of a card's."""
    return averages.settings_of() if name in averages.AVERAGES else duties.settings_of(name)


def iteration(name: str, settings: Mapping[str, Any]) -> Defender | Trainer:
    """What trains it, from the settings that are not the usual ones.

    Raises:
        BadInput: for a setting that it has not, or that is out of range.
    """
    usual = settings_of(name)
    for key in settings:
        if key not in usual:
            raise BadInput(f"the training of {name} has no setting {key!r}: {', '.join(usual)}")
    make = averages.trainer if name in averages.AVERAGES else duties.defender
    return make(**{**usual, **settings})


def course(name: str, settings: Mapping[str, Any], seed: int) -> Course:
    """A training before its first step; errors as `iteration`, or for an unknown name."""
    if name in averages.AVERAGES:
        return lesson(averages.AVERAGES[name](seed), iteration(name, settings), seed)
    duty = duties.fresh(name)
    return lesson(duty, iteration(duty.problem.name, settings), seed)
