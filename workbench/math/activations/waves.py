"""exp, sin and cos: their Gaussian integrals in closed form.

With X = mu + sigma Z, E exp(c X) = exp(c mu + c^2 sigma^2 / 2) for every complex c, of which these
are the parts for c = 1 and c = i.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.activations.analytic import Analytic
from workbench.math.quadrature import hermite

_SMALL = 0.5
"""Scale up to which powers of exp are integrated on nodes: their closed form cancels there."""


@dataclass(frozen=True)
class Exp(Analytic):
    """exp(x), log-normal: b_k = sigma^k / sqrt(k!) E f, Var f = (E f)^2 (exp(sigma^2) - 1)."""

    name: ClassVar[str] = "exp"

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, math.inf

    def rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return hermite(48, like.dtype, like.device)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(x)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.exp(x)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        s = sigma.square()
        mean = torch.exp(mu + 0.5 * s)
        return mean, mean.square() * torch.expm1(s)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        mean = torch.exp(mu + 0.5 * sigma.square())
        return torch.stack([mean * _term(sigma, k) for k in range(1, order + 1)])

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        small = sigma <= _SMALL
        near = super().powers(mu, torch.where(small, sigma, _SMALL), centre, degree, order)
        s = torch.where(small, _SMALL, sigma)
        raw = [torch.exp(j * mu + 0.5 * (j * s).square()) for j in range(degree + 1)]
        far = []
        for p in range(degree + 1):
            parts = [math.comb(p, j) * (-centre) ** (p - j) * raw[j] for j in range(p + 1)]
            far.append(torch.stack([
                sum((x * _term(j * s, k) for j, x in enumerate(parts)), torch.zeros_like(s))
                for k in range(order + 1)
            ]))  # fmt: skip
        return torch.where(small, near, torch.stack(far))


def _term(sigma: Tensor, k: int) -> Tensor:
    return sigma**k / math.sqrt(math.factorial(k))


class _Wave(Analytic):
    """sin(x + quarter pi / 2): its every derivative is a wave too."""

    quarter: ClassVar[int]

    @property
    def rises(self) -> bool:
        return False

    @property
    def reach(self) -> tuple[float, float]:
        return -1.0, 1.0

    def _at(self, x: Tensor, quarters: int) -> Tensor:
        """The derivative of order `quarters` at x."""
        q = (self.quarter + quarters) % 4
        wave = torch.cos(x) if q % 2 else torch.sin(x)
        return -wave if q > 1 else wave

    def __call__(self, x: Tensor) -> Tensor:
        return self._at(x, 0)

    def derivative(self, x: Tensor) -> Tensor:
        return self._at(x, 1)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        s = sigma.square()
        # f^2 is (1 -+ cos 2x) / 2; nothing cancels in this form.
        sign = -1.0 if self.quarter % 2 else 1.0
        var = -0.5 * torch.expm1(-s) * (1.0 + sign * torch.exp(-s) * torch.cos(2.0 * mu))
        return self(mu) * torch.exp(-0.5 * s), torch.clamp(var, min=0.0)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        # sigma^k exp(-sigma^2 / 2), for sigma so large that it is 0 as well.
        sigma = torch.clamp(sigma, max=60.0)
        damped = torch.exp(-0.5 * sigma.square())
        return torch.stack([
            self._at(mu, k) * _term(sigma, k) * damped for k in range(1, order + 1)
        ])  # fmt: skip


@dataclass(frozen=True)
class Sin(_Wave):
    """sin(x)."""

    name: ClassVar[str] = "sin"
    quarter: ClassVar[int] = 0


@dataclass(frozen=True)
class Cos(_Wave):
    """cos(x)."""

    name: ClassVar[str] = "cos"
    quarter: ClassVar[int] = 1
