"""Exact truths of rare tokens: every sequence of a law evaluated, and which tokens make targets."""

import math

import torch
from torch import Tensor

from workbench.distributions import Tokens
from workbench.models import Transformer, logits_sharing_prefixes

BATCH = 4096
RAREST, COMMONEST = -12.5, -2.5
"""log10 P between which a token is a target."""


@torch.no_grad()
def counted(model: Transformer, law: Tokens) -> tuple[Tensor, Tensor]:
    """P of every token being the model's choice, and how many sequences lead to it, `(V,)` each."""
    mass = torch.zeros(law.alphabet, dtype=torch.float64)
    leaves = torch.zeros(law.alphabet, dtype=torch.int64)
    for start in range(0, law.outcomes, BATCH):
        x, log_p = law.outcome(start, BATCH)
        said = logits_sharing_prefixes(model, x).argmax(1)
        mass.index_add_(0, said, torch.exp(log_p))
        leaves.index_add_(0, said, torch.ones_like(said))
    return mass, leaves


def targets(mass: Tensor, leaves: Tensor) -> dict[int, int]:
    """{decade of P: token}, the commonest decade first: of every decade the token that most
    sequences lead to, if more than one does.

    >>> targets(torch.tensor([0.5, 1e-4, 2e-4]), torch.tensor([9, 3, 2]))
    {-4: 1}
    """
    found: dict[int, int] = {}
    for token in torch.nonzero(leaves > 1).squeeze(1).tolist():
        log10_p = math.log10(mass[token])
        decade = round(log10_p)
        if RAREST < log10_p < COMMONEST and leaves[token] >= leaves[found.get(decade, token)]:
            found[decade] = token
    return dict(sorted(found.items(), reverse=True))
