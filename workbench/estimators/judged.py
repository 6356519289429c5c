"""What a few hundred weighted draws around points say of P: enough to judge an answer by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators.proposal import Proposal
from workbench.math.logspace import log_sum
from workbench.problem import Problem
from workbench.rng import Rng

_PLAIN = 0.25


@dataclass(frozen=True)
class Verdict:
    """What the draws say.

    Args:
        draws: how many there were, and forward passes.
        log_p: log P in nats.
        error: its standard error; inf where no draw lies in C.
    """

    draws: int
    log_p: float
    error: float


@torch.no_grad()
def judged(
    pieces: Sequence[tuple[Tensor, Problem]], around: Sequence[Tensor], log_parts: Tensor, most: int
) -> Verdict:
    """P by importance sampling from N(a, I) around points a and, a quarter, from D itself.

    The same draws always. Half of them go to the parts of D by their weights, half by their
    shares of the answer that is judged; each part has one at least.

    Args:
        pieces: the parts of D with their log weights.
        around: points `(m, d)` in the noise of each part.
        log_parts: log P(C, part) as the answer has it, in float64, for every part.
        most: draws, or as many more as there are parts.
    """
    log_weight = torch.stack([w.detach().double() for w, _ in pieces])
    share = torch.exp(log_weight)
    if bool(torch.isfinite(log_parts).any()):
        share = 0.5 * (share + torch.softmax(log_parts, 0))
    counts = torch.clamp(torch.floor(most * share), min=1).long().tolist()
    n, found = sum(counts), []
    for k, ((_, problem), at, count) in enumerate(zip(pieces, around, counts, strict=True)):
        d = problem.distribution
        assert isinstance(d, Reparameterised)
        generator = Rng(0).child("judge", k).generator()
        each = at.new_full((len(at),), 1.0 / max(1, len(at)))
        plain = _PLAIN if len(at) else 1.0
        proposal = Proposal(at, at.new_zeros(*at.shape, 0), at.new_zeros(len(at), 0), each, plain)
        z, _ = proposal.draw(d.noise(count, generator), generator)
        log_w = (-0.5 * z.square().sum(1) - proposal.log_density(z)).double()
        log_w = torch.where(problem.margin_of_noise(z) > 0, log_w, -math.inf)
        found.append(log_w + log_weight[k] - math.log(count / n))
    log_w = torch.cat(found)
    total = float(log_sum(log_w))
    if not math.isfinite(total):
        return Verdict(n, -math.inf, math.inf)
    squares = math.exp(float(log_sum(2.0 * log_w)) - 2.0 * total)
    return Verdict(n, min(0.0, total - math.log(n)), math.sqrt(max(0.0, squares - 1.0 / n)))
