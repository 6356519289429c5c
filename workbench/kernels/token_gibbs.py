"""Gibbs moves of independent tokens."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from workbench.distributions import IndependentTokens
from workbench.kernels.base import Chains, Kernel, moved
from workbench.problem import Problem


@dataclass(frozen=True)
class TokenGibbs(Kernel):
    """One random position and every other one with probability b take new tokens of D, kept where
    the margin stays above the level.

    Positions are independent under D, so what is drawn anew is drawn from its conditional law, and
    the ratio is the indicator of the level alone (Geman & Geman 1984). b = 1 draws afresh. One
    forward pass a move and chain.
    """

    name: ClassVar[str] = "token_gibbs"
    start: ClassVar[float] = 0.3
    usual: ClassVar[float] = 1.0

    @torch.no_grad()
    def move(self, problem: Problem, chains: Chains, generator: torch.Generator) -> Chains:
        d, x = problem.distribution, chains.noise
        assert isinstance(d, IndependentTokens)
        n, t = x.shape
        fresh = torch.rand(n, t, generator=generator) < chains.step_size
        fresh[torch.arange(n), torch.randint(t, (n,), generator=generator)] = True
        proposal = torch.where(fresh, d.noise(n, generator), x)
        margin = problem.margin_of_noise(proposal)
        accept = margin > chains.threshold
        x = torch.where(accept[:, None], proposal, x)
        s = torch.where(accept, margin, chains.margin)
        return moved(chains, x, s, accept, n)

    def most(self, n: int) -> int:
        return n
