"""GELU, and Owen's T that its variance needs."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.math.activations.analytic import Analytic
from workbench.math.activations.base import FLAT, hermite_normalised
from workbench.math.gaussian import cdf, pdf
from workbench.math.quadrature import legendre


@dataclass(frozen=True)
class GELU(Analytic):
    """x Phi(x), in closed form; with s^2 = 1 + sigma^2, t = mu/s:
    E = mu Phi(t) + sigma^2 phi(t) / s,  E f' = Phi(t) + t phi(t) / s^2,
    E f^(k) = (-1)^k s^(1-k) phi(t) (He_{k-2}(t) - He_k(t) / s^2); the variance through Owen's T."""

    name: ClassVar[str] = "gelu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.GELU

    @property
    def rises(self) -> bool:
        return False

    @property
    def turns(self) -> tuple[float, ...]:
        return -math.sqrt(2.0), math.sqrt(2.0)

    def __call__(self, x: Tensor) -> Tensor:
        return F.gelu(x)

    def derivative(self, x: Tensor) -> Tensor:
        return cdf(x) + x * pdf(x)

    def mean(self, mu: Tensor, sigma: Tensor) -> Tensor:
        v = sigma * sigma
        s = torch.sqrt(1.0 + v)
        t = mu / s
        return mu * cdf(t) + v * pdf(t) / s

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        v = sigma * sigma
        s = torch.sqrt(1.0 + v)
        t = mu / s
        phi_t = pdf(t)
        mean = self.mean(mu, sigma)
        # E[X^2 g] = (mu^2 + v) E g + 2 mu v E g' + v^2 E g'' with g = Phi^2 (Stein, twice).
        g0 = cdf(t) - 2.0 * owen_t(t, 1.0 / torch.sqrt(1.0 + 2.0 * v))
        m1, v1 = mu / (s * s), v / (s * s)
        r = torch.sqrt(1.0 + v1)
        weight = phi_t / s
        phi_cdf = weight * cdf(m1 / r)
        x_phi_cdf = weight * (m1 * cdf(m1 / r) + v1 / r * pdf(m1 / r))
        wide = v + 0.5
        phi_sq = torch.exp(-0.5 * mu * mu / wide) / (2.0 * math.pi * torch.sqrt(2.0 * wide))
        second = (mu * mu + v) * g0 + 4.0 * mu * v * phi_cdf + 2.0 * v * v * (phi_sq - x_phi_cdf)
        return mean, torch.clamp(second - mean * mean, min=0.0)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        s = torch.sqrt(1.0 + sigma * sigma)
        t = mu / s
        rows = [sigma * (cdf(t) + t * pdf(t) / (s * s))]
        t = torch.clamp(t, -FLAT, FLAT)
        h = hermite_normalised(t, order)
        ratio = sigma / s  # sigma^k s^(1-k) = s ratio^k
        power = s * ratio
        for k in range(2, order + 1):
            power = power * ratio
            term = h[k - 2] / math.sqrt(k * (k - 1)) - h[k] / (s * s)
            rows.append((-1.0) ** k * power * pdf(t) * term)
        return torch.stack(rows[:order])


def owen_t(h: Tensor, a: Tensor) -> Tensor:
    """Owen's T(h, a) = 1/(2 pi) int_0^a exp(-h^2 (1 + x^2) / 2) / (1 + x^2) dx, for 0 <= a <= 1."""
    t, w = legendre(32, h.dtype, h.device)
    x = 0.5 * a[..., None] * (t + 1.0)
    value = torch.exp(-0.5 * h[..., None].square() * (1.0 + x * x)) / (1.0 + x * x)
    return a / (4.0 * math.pi) * (value @ w)
