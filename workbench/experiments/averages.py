"""Trainings whose catastrophe is an average over many points, by name."""

import inspect
from collections.abc import Callable
from typing import Any

from workbench.training import Duty, Referee, digits
from workbench.training.pointwise import Pointwise
from workbench.training.trainer import Trainer

AVERAGES: dict[str, Callable[[int], Duty]] = {"digits_average": digits.duty}
"""{name: duty for a seed}."""
TITLES: dict[str, str] = {"digits_average": "Digits, on average"}
FOLLOWED = "tangent"


def trainer(
    target: float = -11.0, price: float = 0.03, power: float = 0.3, lines: int = 4,
    steps: int = 1000, every: int = 250, referee: int = 200_000,
) -> Trainer:  # fmt: skip
    """A training from the first weights on, against log P of all points at once.

    Args:
        target: log10 P of a point at which it is safe enough.
        price: of a nat.
        power: of the mean over points: towards 0 of log P, at 1 of P.
        lines: a point.
        steps: minibatches.
        every: steps between two looks of the referee.
        referee: forward passes of a look.

    Raises:
        BadInput: for what is out of range.
    """
    rule = Pointwise(price, power, target, lines)
    return Trainer(rule, steps, referee=Referee(every, referee))


def settings_of() -> dict[str, Any]:
    """{setting: usual value} of `trainer`."""
    return {k: p.default for k, p in inspect.signature(trainer).parameters.items()}
