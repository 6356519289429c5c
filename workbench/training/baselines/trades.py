"""A trade-off between clean examples and what the worst points around them are read as."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from workbench.training.baselines.pgd import climb
from workbench.training.rule import Batch, Rule, sigma_of

_NEAR = 1e-3


@dataclass(frozen=True)
class Trades(Rule):
    """Cross-entropy of x + weight * max of KL(p(x) || p(x')) over |x' - x| <= radius, p of M.

    Zhang et al. 2019. The target of the attack is held; the loss follows both sides.

    Args:
        times: radius, over the standard deviation of D0's noise.
        weight: of the divergence (1 / lambda there).
        moves: gradient steps of the attack.
    """

    times: float = 2.0
    weight: float = 3.0
    moves: int = 5
    name: ClassVar[str] = "TRADES"

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        radius, model = self.times * sigma_of(batch.duty), batch.model
        clean = model(batch.x)
        held = clean.detach().log_softmax(1)

        def apart(at: Tensor) -> Tensor:
            return kl_div(model(at).log_softmax(1), held, reduction="sum", log_target=True)

        start = _NEAR * batch.noise(batch.x.shape)  # at x itself the divergence has no slope
        worst = climb(apart, batch.x, start, radius, self.moves)
        moved = kl_div(
            model(worst).log_softmax(1), clean.log_softmax(1), reduction="batchmean",
            log_target=True,
        )  # fmt: skip
        return cross_entropy(clean, batch.y) + self.weight * moved, math.nan
