"""Elliptical slice sampling with the level as the likelihood."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from workbench.errors import BadInput
from workbench.kernels.base import Chains, Kernel, moved
from workbench.problem import Problem


@dataclass(frozen=True)
class EllipticalSlice(Kernel):
    """z' = z cos t + v sin t on the ellipse through z and v ~ N(0, I).

    (Murray, Adams & MacKay 2010.) The likelihood is the indicator of margin > threshold, so the
    slice is the part of the ellipse inside the level: t is uniform on a bracket of length 2 pi,
    which shrinks towards t = 0 at every point outside. There is no step size. A chain still outside
    after `shrinks` shrinkings stays where it was, which keeps the move reversible: a path of j
    shrinkings is run backwards by one of j. One to `shrinks` + 1 forward passes a move and chain.

    Args:
        shrinks: the most shrinkings of a bracket.
    """

    shrinks: int = 20
    name: ClassVar[str] = "elliptical_slice"
    start: ClassVar[float] = 1.0
    usual: ClassVar[float] = 4.0

    def __post_init__(self) -> None:
        if self.shrinks < 0:
            raise BadInput(f"elliptical_slice: shrinks must not be negative, got {self.shrinks}")

    @torch.no_grad()
    def move(self, problem: Problem, chains: Chains, generator: torch.Generator) -> Chains:
        start, n = chains.noise, len(chains.noise)
        v = torch.randn(start.shape, generator=generator, dtype=start.dtype)
        z, s = start.clone(), chains.margin.clone()
        angle = 2.0 * math.pi * torch.rand(n, generator=generator, dtype=torch.float64)
        low, high = angle - 2.0 * math.pi, angle.clone()
        out, spent = torch.arange(n), 0
        for _ in range(self.shrinks + 1):
            t = angle[out, None].to(z.dtype)
            proposal = start[out] * torch.cos(t) + v[out] * torch.sin(t)
            margin = problem.margin_of_noise(proposal)
            spent += len(out)
            inside = margin > chains.threshold
            z[out[inside]], s[out[inside]] = proposal[inside], margin[inside]
            out = out[~inside]
            if len(out) == 0:
                break
            behind = angle[out] < 0.0
            low[out] = torch.where(behind, angle[out], low[out])
            high[out] = torch.where(behind, high[out], angle[out])
            u = torch.rand(len(out), generator=generator, dtype=torch.float64)
            angle[out] = low[out] + u * (high[out] - low[out])
        accept = torch.ones(n, dtype=torch.bool)
        accept[out] = False
        return moved(chains, z, s, accept, spent)

    def most(self, n: int) -> int:
        return n * (self.shrinks + 1)
