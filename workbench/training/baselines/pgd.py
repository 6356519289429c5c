"""Adversarial training by projected gradients."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from workbench.errors import BadInput
from workbench.training.rule import Batch, Rule, sigma_of

_STRIDE = 2.0


def climb(
    rise: Callable[[Tensor], Tensor], x: Tensor, start: Tensor, radius: float, moves: int
) -> Tensor:
    """Points `(b, d)` within `radius` (L2) of x where `rise`, a sum over points, is high.

    Normalised gradient steps of 2 radius / moves, each followed by the projection onto the ball
    (Madry et al. 2018).
    """
    delta = _within(start, radius)
    for _ in range(moves):
        at = (x + delta).detach().requires_grad_()
        with torch.enable_grad():
            (up,) = torch.autograd.grad(rise(at), at)
        length = up.norm(dim=1, keepdim=True).clamp(min=1e-12)
        delta = _within(delta + _STRIDE * radius / moves * up / length, radius)
    return (x + delta).detach()


def _within(delta: Tensor, radius: float) -> Tensor:
    return delta * (radius / delta.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1.0)


@dataclass(frozen=True)
class PGD(Rule):
    """Cross-entropy at the worst points of L2 balls around the examples (Madry et al. 2018).

    With `aim` "catastrophe" the attack climbs the margin of C from the points of D0 instead, and
    the loss is the cross-entropy of the clean examples + weight * softplus(margin) there.

    Args:
        times: radius, over the standard deviation of D0's noise.
        moves: gradient steps of the attack.
        aim: "label" or "catastrophe".
        weight: of the catastrophe.
    """

    times: float = 2.0
    moves: int = 5
    aim: str = "label"
    weight: float = 1.0
    name: ClassVar[str] = "PGD"

    def __post_init__(self) -> None:
        if self.aim not in ("label", "catastrophe"):
            raise BadInput(f"PGD: aim is 'label' or 'catastrophe', got {self.aim!r}")

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        radius, model, problem = self.times * sigma_of(batch.duty), batch.model, batch.duty.problem
        start = 0.5 * radius / math.sqrt(batch.x.shape[1]) * batch.noise(batch.x.shape)
        if self.aim == "label":
            worst = climb(
                lambda at: cross_entropy(model(at), batch.y, reduction="sum"),
                batch.x, start, radius, self.moves,
            )  # fmt: skip
            return cross_entropy(model(worst), batch.y), math.nan
        worst = climb(
            lambda at: problem.margin(at).sum(), batch.pieces().mean, start, radius, self.moves
        )
        error = cross_entropy(model(batch.x), batch.y)
        return error + self.weight * softplus(problem.margin(worst)).mean(), math.nan
