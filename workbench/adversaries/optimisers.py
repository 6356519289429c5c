"""Steps uphill by torch's optimisers, whose moments live in a flat tensor."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from workbench.errors import BadInput

_MADE: dict[str, tuple[Callable[..., Optimizer], tuple[str, ...]]] = {
    "adam": (Adam, ("exp_avg", "exp_avg_sq")),
    "rmsprop": (RMSprop, ("square_avg",)),
    "momentum": (partial(SGD, momentum=0.9), ("momentum_buffer",)),
}

NAMES = ("natural", *_MADE)
"""`natural` is the plain step, its rate divided by the price of a nat; the others are torch's."""


def none_yet(name: str, theta: Tensor) -> Tensor:
    """Moments before the first step, `(m, p)`."""
    return theta.new_zeros(0 if name == "natural" else len(_made(name)[1]), len(theta))


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
        return (theta + rate * slope).detach(), moments
    make, kept = _made(name)
    at = theta.detach().clone().requires_grad_()
    optimiser = make([at], lr=rate)
    if ticks:
        saved: dict[str, Any] = {k: m.clone() for k, m in zip(kept, moments, strict=True)}
        optimiser.state[at] = {"step": torch.tensor(float(ticks)), **saved}
    at.grad = -slope
    optimiser.step()
    state = optimiser.state[at]
    return at.detach(), torch.stack([state[k] for k in kept])


def _made(name: str) -> tuple[Callable[..., Optimizer], tuple[str, ...]]:
    if name not in _MADE:
        raise BadInput(f"unknown optimiser {name!r}: use one of {', '.join(NAMES)}")
    return _MADE[name]
