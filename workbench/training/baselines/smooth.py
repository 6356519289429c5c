"""Adversarial training of the smoothed classifier."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workbench.training.baselines.pgd import climb
from workbench.training.rule import Batch, Rule, sigma_of


@dataclass(frozen=True)
class SmoothAdv(Rule):
    """Noised cross-entropy at the point that is worst for the smoothed classifier (SmoothAdv-PGD).

    With noises e_k ~ N(0, s^2 I) fixed for the step, the attack climbs, within an L2 ball, the
    smoothed classifier's -log mean_k softmax M(x' + e_k) of the class; the loss is the
    cross-entropy at x' + e_k (Salman et al. 2019). Noise augmentation is the case of radius 0: here
    the noise is put around adversarial points.

    Args:
        times: s, over the standard deviation of D0's noise.
        radius: of the ball, over the same.
        draws: noises an example.
        moves: gradient steps of the attack.
    """

    times: float = 1.0
    radius: float = 2.0
    draws: int = 4
    moves: int = 3
    name: ClassVar[str] = "SmoothAdv"

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        sigma, model, (b, d) = sigma_of(batch.duty), batch.model, batch.x.shape
        noise = self.times * sigma * batch.noise((self.draws, b, d))
        own = batch.y.expand(self.draws, b)

        def logits(at: Tensor) -> Tensor:
            return model((at + noise).reshape(-1, d))

        def wrong(at: Tensor) -> Tensor:
            sure = logits(at).log_softmax(1).reshape(self.draws, b, -1)
            right = sure.gather(2, own[..., None])[..., 0]
            return -(torch.logsumexp(right, 0) - math.log(self.draws)).sum()

        worst = climb(wrong, batch.x, torch.zeros_like(batch.x), self.radius * sigma, self.moves)
        return cross_entropy(logits(worst), own.flatten()), math.nan
