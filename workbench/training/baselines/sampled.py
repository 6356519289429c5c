"""log P of a minibatch by importance sampling: training on failures that are sampled."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from workbench.estimators.pieces import Field, event_of
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import LN10, log_sum
from workbench.specs import Polyhedral
from workbench.training.rule import Batch, Rule


@dataclass(frozen=True)
class Sampled(Rule):
    """Cross-entropy + price * log of an importance sampler's mean of P over the points.

    Half of the draws of each point come from its noise, half from around its design point, weighed
    as one mixture. 0 or 1 has no slope, so that the margin is blurred by tau, a share of the spread
    of the margins drawn: what is followed is log mean_i sum_j w_ij Phi(s_ij / tau), down to a
    target at which it rests.

    Args:
        price: of a nat.
        target: log10 P that is safe enough.
        draws: a point.
        blur: tau over the standard deviation of the margins.
        moves: of the search for the design points.
    """

    price: float = 0.1
    target: float = -11.0
    draws: int = 16
    blur: float = 0.1
    moves: int = 2
    name: ClassVar[str] = "sampled log P"

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        error = cross_entropy(batch.model(batch.x), batch.y)
        problem, pieces = batch.duty.problem, batch.pieces()
        assert isinstance(problem.spec, Polyhedral)
        field = Field(batch.model, pieces, event_of(problem.spec, problem.outputs, pieces.mean))
        found = field.tangents(1, self.moves)
        centre = found.beta.clamp(min=0.0) * found.unit[:, 0]
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
