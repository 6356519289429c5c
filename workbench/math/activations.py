"""Activation functions under a Gaussian input, one row each.

For X ~ N(mu, sigma^2) with Z = (X - mu) / sigma a row gives the mean and variance of f(X) and the
coefficients b_k = E[f(X) He_k(Z)] / sqrt(k!) = sigma^k E[f^(k)(X)] / sqrt(k!), k = 1..K. Then for
jointly Gaussian X_i, X_j of correlation rho (Mehler 1866)

    Cov(f(X_i), f(X_j)) = sum_{k>=1} b_k(i) b_k(j) rho^k        and  Var f(X_i) = sum_k b_k(i)^2.

Every partial sum with the exact variance on its diagonal is positive semi-definite, and the
dropped part of entry (i, j) is at most |rho|^(K+1) sqrt(tail_i tail_j), where tail_i is
Var f(X_i) - sum_{k<=K} b_k(i)^2.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import Unsupported
from workbench.math.gaussian import cdf, excess, pdf
from workbench.math.quadrature import legendre, normal_trapezoid

_FLAT = 40.0  # phi(40) underflows: beyond it every derivative of order 2 and more is 0.


class Activation(ABC):
    """One row of the table: an elementwise function and its Gaussian integrals."""

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """f(x), elementwise."""

    @abstractmethod
    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """E f(X) and Var f(X), each of mu's shape; sigma > 0."""

    @abstractmethod
    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        """b_1 .. b_order, shape `(order, *mu.shape)`."""


def hermite_normalised(x: Tensor, order: int) -> list[Tensor]:
    """He_0 .. He_order at x, each over sqrt(k!), by the three-term recurrence (differentiable)."""
    h = [torch.ones_like(x), x]
    for k in range(1, order):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return h[: order + 1]


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0): with alpha = mu/sigma, E = sigma (phi + alpha Phi), b_1 = sigma Phi,
    b_k = sigma (-1)^k He_{k-2}(alpha) phi(alpha) / sqrt(k!)."""

    name: ClassVar[str] = "relu"

    def __call__(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        alpha = mu / sigma
        # relu(X) = X + relu(-X): integrate on the negative side, where nothing cancels.
        up = alpha > 0
        low = torch.where(up, -alpha, alpha)
        mass, over = cdf(low), excess(low)
        part = mass * over
        # E[relu^2] - E[relu]^2 of the negative side over sigma^2.
        spread = torch.clamp(mass * (1.0 + low * over) - part * part, min=0.0)
        mean = sigma * part + torch.where(up, mu, 0.0)
        var = sigma * sigma * torch.where(up, 1.0 + spread - 2.0 * mass, spread)
        return mean, torch.clamp(var, min=0.0)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        alpha = mu / sigma
        rows = [sigma * cdf(alpha)]
        if order > 1:
            a = torch.clamp(alpha, -_FLAT, _FLAT)
            weight = sigma * pdf(a)
            for k, h in enumerate(hermite_normalised(a, order - 2), start=2):
                rows.append(weight * h * ((-1.0) ** k / math.sqrt(k * (k - 1))))
        return torch.stack(rows[:order])


@dataclass(frozen=True)
class GELU(Activation):
    """x Phi(x), in closed form; with s^2 = 1 + sigma^2, t = mu/s:
    E = mu Phi(t) + sigma^2 phi(t) / s,  E f' = Phi(t) + t phi(t) / s^2,
    E f^(k) = (-1)^k s^(1-k) phi(t) (He_{k-2}(t) - He_k(t) / s^2); the variance through Owen's T."""

    name: ClassVar[str] = "gelu"

    def __call__(self, x: Tensor) -> Tensor:
        return F.gelu(x)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        v = sigma * sigma
        s = torch.sqrt(1.0 + v)
        t = mu / s
        phi_t = pdf(t)
        mean = mu * cdf(t) + v * phi_t / s
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
        t = torch.clamp(t, -_FLAT, _FLAT)
        h = hermite_normalised(t, order)
        ratio = sigma / s  # sigma^k s^(1-k) = s ratio^k
        power = s * ratio
        for k in range(2, order + 1):
            power = power * ratio
            term = h[k - 2] / math.sqrt(k * (k - 1)) - h[k] / (s * s)
            rows.append((-1.0) ** k * power * pdf(t) * term)
        return torch.stack(rows[:order])


@dataclass(frozen=True)
class Tanh(Activation):
    """tanh(x): no closed form; the trapezoidal rule on [-9, 9] standard deviations."""

    name: ClassVar[str] = "tanh"
    nodes: int = 193

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def _values(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, w = normal_trapezoid(self.nodes, mu.dtype, mu.device)
        return torch.tanh(mu[..., None] + sigma[..., None] * z), z, w

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        f, _, w = self._values(mu, sigma)
        mean = f @ w
        return mean, (f - mean[..., None]).square() @ w

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        f, z, w = self._values(mu, sigma)
        basis = torch.stack([h * w for h in hermite_normalised(z, order)[1:]])
        return torch.movedim(f @ basis.T, -1, 0)


def owen_t(h: Tensor, a: Tensor) -> Tensor:
    """Owen's T(h, a) = 1/(2 pi) int_0^a exp(-h^2 (1 + x^2) / 2) / (1 + x^2) dx, for 0 <= a <= 1."""
    t, w = legendre(32, h.dtype, h.device)
    x = 0.5 * a[..., None] * (t + 1.0)
    value = torch.exp(-0.5 * h[..., None].square() * (1.0 + x * x)) / (1.0 + x * x)
    return a / (4.0 * math.pi) * (value @ w)


ACTIVATIONS: dict[str, Activation] = {row.name: row for row in (ReLU(), GELU(), Tanh())}


def activation(name: str) -> Activation:
    """The row called `name`. Raises `Unsupported` with the known names."""
    if name not in ACTIVATIONS:
        raise Unsupported(f"activation {name!r}", f"known rows are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
