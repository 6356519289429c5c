"""Steps uphill by torch's optimisers, whose moments live in a flat tensor.

By torch's functions, not its classes: see `math.descent`.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from workbench.errors import BadInput
from workbench.math.descent import ADAM

_Step: TypeAlias = Callable[[Tensor, Tensor, Tensor, int, float], None]
"""Moves theta and its moments in place, given the slope down, the steps before and the rate."""


def _adam(x: Tensor, slope: Tensor, moments: Tensor, ticks: int, rate: float) -> None:
    mean, square = moments
    adam([x], [slope], [mean], [square], [], [torch.tensor(float(ticks))], lr=rate, **ADAM)


def _rmsprop(x: Tensor, slope: Tensor, moments: Tensor, ticks: int, rate: float) -> None:
    rmsprop(
        [x], [slope], [moments[0]], [], [], [torch.tensor(float(ticks))], foreach=False, lr=rate,
        alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False,
    )  # fmt: skip


def _momentum(x: Tensor, slope: Tensor, moments: Tensor, ticks: int, rate: float) -> None:
    sgd(
        [x], [slope], [moments[0]], foreach=False, weight_decay=0.0, momentum=0.9, lr=rate,
        dampening=0.0, nesterov=False, maximize=False,
    )  # fmt: skip


_STEPS: dict[str, tuple[_Step, int]] = {
    "adam": (_adam, 2), "rmsprop": (_rmsprop, 1), "momentum": (_momentum, 1),
}  # fmt: skip
"""Each with how many moments it keeps."""

NAMES = ("natural", *_STEPS)
"""`natural` is the plain step, its rate divided by the price of a nat; the others are torch's."""


def none_yet(name: str, theta: Tensor) -> Tensor:
    """Moments before the first step, `(m, p)`."""
    return theta.new_zeros(0 if name == "natural" else _step_of(name)[1], len(theta))


@torch.no_grad()
def ascend(
    name: str, theta: Tensor, slope: Tensor, moments: Tensor, ticks: int, rate: float
) -> tuple[Tensor, Tensor]:
    """theta and moments after one step along `slope`.

    Args:
        theta: `(p,)`.
        slope: gradient of what is to rise, `(p,)`.
        moments: `(m, p)`, as this returned them.
        ticks: steps taken before.
        rate: learning rate.
    """
    if name == "natural":
        return theta + rate * slope, moments
    step, _ = _step_of(name)
    at, kept = theta.clone(), moments.clone()
    step(at, -slope, kept, ticks, rate)
    return at, kept


def _step_of(name: str) -> tuple[_Step, int]:
    if name not in _STEPS:
        raise BadInput(f"unknown optimiser {name!r}: use one of {', '.join(NAMES)}")
    return _STEPS[name]
