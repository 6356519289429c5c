"""Riding the edge of a trust region: the price of a nat, and the way back onto the edge."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.adversaries.divergence import Nats

_ROUNDS, _FINE, _LONGEST = 25, 1e-10, 4.0


def with_slope(spent: Callable[[Tensor], Nats], theta: Tensor) -> tuple[float, Tensor]:
    """What D spends at theta, and its gradient `(p,)`."""
    with torch.enable_grad():
        at = theta.detach().requires_grad_()
        nats = spent(at)
        (slope,) = torch.autograd.grad(nats.value, at)
    return float(nats.value.detach()), slope


def price(gain: Tensor, cost: Tensor) -> float:
    """The multiplier lambda that leaves least of gain - lambda cost; 0 where it would be negative.

    At a maximum of log P on the edge it is d log P / d nats.
    """
    square = float(cost @ cost)
    return max(0.0, float(gain @ cost) / square) if square > 0 else 0.0


def onto_edge(spent: Callable[[Tensor], Nats], theta: Tensor, limit: float) -> Tensor:
    """theta moved along the gradient of what D spends until that is `limit`.

    Newton's method on sqrt(spent), which near D0 is linear in theta; it ends where it is after 25
    rounds, or where the gradient vanishes.
    """
    for _ in range(_ROUNDS):
        value, slope = with_slope(spent, theta)
        root, square = math.sqrt(max(value, 0.0)), float(slope @ slope)
        gap = math.sqrt(limit) - root
        if abs(gap) <= _FINE * math.sqrt(limit) or root == 0.0 or square == 0.0:
            break
        move = gap * 2.0 * root / square * slope
        longest = _LONGEST * max(1.0, math.sqrt(limit))
        theta = theta + move * min(1.0, longest / float(move.norm()))
    return theta
