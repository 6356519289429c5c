"""Steps: Heaviside and sign. Their derivative is 0 wherever it exists; its expectation is not."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.activations.base import FLAT, Activation, hermite_normalised, segment_powers
from workbench.math.gaussian import cdf, pdf


class _Step(Activation):
    """Constant on both sides of 0."""

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


@dataclass(frozen=True)
class Heaviside(_Step):
    """1 where x > 0, else 0: with alpha = mu/sigma, E = Phi(alpha), Var = Phi(alpha) Phi(-alpha),
    b_k = (-1)^(k-1) He_{k-1}(alpha) phi(alpha) / sqrt(k!)."""

    name: ClassVar[str] = "heaviside"

    def __call__(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        alpha = mu / sigma
        mean = cdf(alpha)
        return mean, mean * cdf(-alpha)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        a = torch.clamp(mu / sigma, -FLAT, FLAT)
        rows = [
            h * pdf(a) * ((-1.0) ** (k - 1) / math.sqrt(k))
            for k, h in enumerate(hermite_normalised(a, order - 1), start=1)
        ]
        return torch.stack(rows)

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        return segment_powers(mu, sigma, centre, (0.0,), ((0.0, 0.0), (1.0, 0.0)), degree, order)


@dataclass(frozen=True)
class Sign(_Step):
    """-1, 0 or 1, by the sign of x: twice the step at 0, less 1."""

    name: ClassVar[str] = "sign"

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sign(x)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        _, var = Heaviside().moments(mu, sigma)
        return torch.erf(mu / sigma / math.sqrt(2.0)), 4.0 * var

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        return 2.0 * Heaviside().coefficients(mu, sigma, order)

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        return segment_powers(mu, sigma, centre, (0.0,), ((-1.0, 0.0), (1.0, 0.0)), degree, order)
