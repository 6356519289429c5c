"""log P of a minibatch by importance sampling: training on failures that are sampled."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from workbench.errors import BadInput
from workbench.estimators.base import check_positive
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import LN10, log_sum
from workbench.training.baselines.proposals import WAYS, shifts_of
from workbench.training.rule import Batch, Rule


@dataclass(frozen=True)
class Sampled(Rule):
    """Cross-entropy + price * log of an importance sampler's mean of P over the points.

    Half of the draws of each point come from its noise, half from that noise moved by a `proposal`,
    weighed as one mixture. 0 or 1 has no slope, so that the margin is blurred by tau, a share of
    the spread of the margins drawn: what is followed is log mean_i sum_j w_ij Phi(s_ij / tau), down
    to a target at which it rests.

    Args:
        price: of a nat.
        target: log10 P that is safe enough.
        draws: a point.
        blur: tau over the standard deviation of the margins.
        moves: of the search for the proposal.
        proposal: "tangents", to the design points, which is the search of `Pointwise`; or without
            gradients of M in x, "cross entropy" (with `draws` a round) or "none".
    """

    price: float = 0.1
    target: float = -11.0
    draws: int = 16
    blur: float = 0.1
    moves: int = 2
    proposal: str = "tangents"
    name: ClassVar[str] = "sampled log P"

    def __post_init__(self) -> None:
        check_positive(self.name, draws=self.draws, moves=self.moves)
        if self.proposal not in WAYS:
            raise BadInput(f"sampled: proposal is {', '.join(WAYS)}, got {self.proposal!r}")

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        error = batch.error()
        problem, pieces = batch.duty.problem, batch.pieces()
        rng = batch.rng.child("proposal")
        centre = shifts_of(self.proposal, problem, pieces, rng, self.draws, self.moves)
        (n, d), m = centre.shape, self.draws
        z = batch.noise((n, m, d), "draws")
        z = z + torch.where((torch.arange(m) % 2 == 1)[:, None], centre[:, None], 0.0)
        ratio = torch.einsum("nmd,nd->nm", z, centre) - 0.5 * centre.square().sum(1)[:, None]
        log_w = -torch.logaddexp(ratio, torch.zeros_like(ratio)) + math.log(2.0)
        who = torch.arange(n).repeat_interleave(m)
        s = problem.margin(pieces.push(z.reshape(-1, d), who)).reshape(n, m)
        tau = self.blur * s.detach().std().clamp(min=1e-6)
        log_p = log_sum((log_w + log_cdf(s / tau)).flatten()) - math.log(n * m)
        seen = float(log_p.detach())
        floor = self.target * LN10
        return error + self.price * softplus(log_p - floor), seen / LN10
