"""Trainings whose catastrophe is an average over many points: for the command line."""

from collections.abc import Callable

from workbench.errors import BadInput
from workbench.experiments.course import Course
from workbench.experiments.kinds import lesson
from workbench.training import Duty, Referee, digits
from workbench.training.pointwise import Pointwise
from workbench.training.trainer import Trainer

AVERAGES: dict[str, Callable[[int], Duty]] = {"digits_average": digits.duty}
"""{name: duty for a seed}."""
FOLLOWED = "tangent"
_STEPS, _BUDGET = 690, 200_000


def course(
    name: str, seed: int = 0, target: float | None = None, steps: int | None = None,
    every: int | None = None,
) -> Course:  # fmt: skip
    """A training from the first weights on, against log P of all points at once.

    Args:
        name: of `AVERAGES`.
        seed: of weights, minibatches and lines.
        target: log10 P of a point at which it is safe enough.
        steps: minibatches.
        every: steps between two looks of the referee.

    Raises:
        BadInput: for an unknown name.
    """
    if name not in AVERAGES:
        raise BadInput(f"no average is called {name!r}: use one of {', '.join(AVERAGES)}")
    usual = Pointwise(price=0.03, power=0.3)
    rule = usual if target is None else Pointwise(usual.price, usual.power, target)
    n = _STEPS if steps is None else steps
    referee = Referee(max(1, n // 3) if every is None else every, _BUDGET)
    return lesson(AVERAGES[name](seed), Trainer(rule, n, referee=referee), seed)
