"""Hamiltonian moves that are reflected at the level."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported
from workbench.kernels.base import Chains, Kernel, moved
from workbench.math.slope import slope_of
from workbench.problem import Problem


@dataclass(frozen=True)
class Hamiltonian(Kernel):
    """Exact rotations of (z, v), with v reflected along the margin's gradient at the level.

    With v ~ N(0, I) the energy (|z|^2 + |v|^2) / 2 has the flow
    (z, v) -> (z cos t + v sin t, v cos t - z sin t): no discretisation error. Every one of `legs`
    legs turns by t. Where z leaves the level, v is reflected, v - 2 (v.g) g with g the unit
    gradient of the margin at the point outside, and the leg turns by t again; where that ends
    outside too, the leg is undone and v turned about. A leg and its reverse pass through the same
    point outside, so that it preserves volume and energy and is reversible (Galilean Monte Carlo,
    Skilling 2012; outside reflection, Neal 2003, section 7). Every chain draws its t uniformly from
    (0, pi/2 x step size). Where the gradient vanishes the leg goes straight on.

    One forward pass a leg and chain, and three more (a gradient is two) where it is reflected.

    Args:
        legs: rotations between two draws of v.
    """

    legs: int = 2
    name: ClassVar[str] = "hamiltonian"
    start: ClassVar[float] = 0.6
    usual: ClassVar[float] = 5.0

    def __post_init__(self) -> None:
        if self.legs < 1:
            raise BadInput(f"hamiltonian: legs must be at least 1, got {self.legs}")

    @torch.no_grad()
    def move(self, problem: Problem, chains: Chains, generator: torch.Generator) -> Chains:
        z, s, n = chains.noise, chains.margin, len(chains.noise)
        v = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        reach = 0.5 * math.pi * chains.step_size
        t = (reach * torch.rand(n, generator=generator, dtype=torch.float64)).to(z.dtype)
        accept, spent = torch.zeros(n, dtype=torch.bool), 0
        for _ in range(self.legs):
            z, v, s, inside, cost = leg(problem, z, v, s, t, chains.threshold)
            accept |= inside
            spent += cost
        return moved(chains, z, s, accept, spent)

    def most(self, n: int) -> int:
        return 4 * self.legs * n


def turn(z: Tensor, v: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """(z, v) after a rotation by t `(n,)`."""
    c, s = torch.cos(t)[:, None], torch.sin(t)[:, None]
    return z * c + v * s, v * c - z * s


def leg(
    problem: Problem, z: Tensor, v: Tensor, s: Tensor, t: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """z, v and margin after one leg, which chains moved, and the forward passes spent."""
    z1, v1 = turn(z, v, t)
    s1 = problem.margin_of_noise(z1)
    inside, spent = s1 > threshold, len(z)
    out = torch.nonzero(~inside).squeeze(1)
    if len(out):
        z2, v2 = turn(z1[out], reflect(v1[out], gradient(problem, z1[out])), t[out])
        s2 = problem.margin_of_noise(z2)
        spent += 3 * len(out)
        back = s2 > threshold
        z1[out] = torch.where(back[:, None], z2, z[out])
        v1[out] = torch.where(back[:, None], v2, -v[out])
        s1[out] = torch.where(back, s2, s[out])
        inside[out] = back
    return z1, v1, s1, inside, spent


def reflect(v: Tensor, g: Tensor) -> Tensor:
    """v mirrored at the hyperplane across g, unchanged where g is 0 or not finite."""
    size = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
    sound = (size > 0.0) & torch.isfinite(size)
    g = torch.where(sound, g / torch.where(sound, size, 1.0), 0.0)
    return v - 2.0 * (v * g).sum(-1, keepdim=True) * g


def gradient(problem: Problem, z: Tensor) -> Tensor:
    """d margin / d z, `(n, noise_dim)`. Raises `Unsupported` where the margin carries no graph."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        s = problem.margin_of_noise(z)
        g = slope_of(s, z)
    if g is None:
        raise Unsupported(
            f"the margin of {problem.name!r} carries no gradient",
            "the kernel 'hamiltonian' needs one; use 'pcn' or 'elliptical_slice'",
        )
    return g
