"""Mixtures of products of categorical laws: proposals of token sequences."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.logspace import log_sum
from workbench.math.simplex import log_prob


@dataclass(frozen=True, eq=False)
class TokenMixture:
    """q(x) = sum_k exp(log_w[k]) prod_i exp(log_q[k, i, x_i]).

    Args:
        log_w: `(K,)`, summing to 1.
        log_q: `(K, T, V)`, every row summing to 1; -inf for tokens that never stand there.
    """

    log_w: Tensor
    log_q: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """log q(x) `(n,)` for x `(n, T)`."""
        each = torch.stack([log_prob(one, x) for one in self.log_q])
        return log_sum(each + self.log_w[:, None], dim=0)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, T)` independent draws."""
        owner = _pick(torch.exp(self.log_w), n, generator)
        x = torch.empty(n, self.log_q.shape[1], dtype=torch.int64)
        for k in torch.unique(owner).tolist():
            rows = torch.nonzero(owner == k).squeeze(1)
            for i, row in enumerate(torch.exp(self.log_q[k])):
                x[rows, i] = _pick(row, len(rows), generator)
        return x


def _pick(p: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """n draws of the categorical law p `(V,)`; never one of probability 0."""
    return torch.multinomial(p, n, replacement=True, generator=generator)


def normalised(weights: Tensor) -> Tensor:
    """log of weights `(..., V)` over their sum; -inf where a weight is 0."""
    p = weights / weights.sum(-1, keepdim=True)
    return torch.where(p > 0, torch.log(p.clamp(min=1e-300)), -math.inf)
