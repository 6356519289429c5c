"""Preconditioned Crank-Nicolson moves."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from workbench.kernels.base import Chains, Kernel, moved
from workbench.problem import Problem


@dataclass(frozen=True)
class PCN(Kernel):
    """z' = sqrt(1 - b^2) z + b xi with xi ~ N(0, I), taken where the margin stays above the level.

    The proposal is reversible for N(0, I) in any dimension (Neal 1999; Cotter, Roberts, Stuart &
    White 2013), so its ratio is the indicator of the level alone. b = 1 draws afresh. One forward
    pass a move and chain.
    """

    name: ClassVar[str] = "pcn"
    start: ClassVar[float] = 0.6
    usual: ClassVar[float] = 1.0

    @torch.no_grad()
    def move(self, problem: Problem, chains: Chains, generator: torch.Generator) -> Chains:
        z, b = chains.noise, chains.step_size
        xi = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        proposal = math.sqrt(1.0 - b * b) * z + b * xi
        margin = problem.margin_of_noise(proposal)
        accept = margin > chains.threshold
        z = torch.where(accept[:, None], proposal, z)
        s = torch.where(accept, margin, chains.margin)
        return moved(chains, z, s, accept, len(z))

    def most(self, n: int) -> int:
        return n
