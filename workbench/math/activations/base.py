"""What a row of the table of activations gives.

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
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.gaussian import cdf, pdf
from workbench.math.quadrature import normal_trapezoid

FLAT = 40.0  # phi(40) underflows: beyond it every derivative of order 2 and more is 0.


class Activation(ABC):
    """One row of the table: an elementwise function and its Gaussian integrals."""

    name: ClassVar[str]
    rises: ClassVar[bool] = True
    """Whether f never falls: the maximum of f(x)s is then f of the maximum."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """f(x), elementwise."""

    @abstractmethod
    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """E f(X) and Var f(X), each of mu's shape; sigma > 0."""

    def mean(self, mu: Tensor, sigma: Tensor) -> Tensor:
        """E f(X) alone."""
        return self.moments(mu, sigma)[0]

    @abstractmethod
    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        """b_1 .. b_order, shape `(order, *mu.shape)`."""

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        """E[(f(X) - centre)^p He_k(Z)] / sqrt(k!) for p = 0..degree and k = 0..order.

        Shape `(degree + 1, order + 1, *mu.shape)`. This general version integrates by the
        trapezoidal rule on [-9, 9] standard deviations, which converges geometrically where f is
        analytic; rows with a kink have closed forms.
        """
        z, w = normal_trapezoid(193, mu.dtype, mu.device)
        f = self(mu[..., None] + sigma[..., None] * z) - centre[..., None]
        basis = torch.stack([h * w for h in hermite_normalised(z, order)])
        rows = [torch.ones_like(f)]
        for _ in range(degree):
            rows.append(rows[-1] * f)
        return torch.movedim(torch.stack(rows) @ basis.T, -1, 1)


def hermite_normalised(x: Tensor, order: int) -> list[Tensor]:
    """He_0 .. He_order at x, each over sqrt(k!), by the three-term recurrence (differentiable)."""
    h = [torch.ones_like(x), x]
    for k in range(1, order):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return h[: order + 1]


def halves_powers(
    mu: Tensor, sigma: Tensor, centre: Tensor, low: tuple[float, float], high: tuple[float, float],
    degree: int, order: int,
) -> Tensor:  # fmt: skip
    """`powers` of a function that is u + v x below 0 and u' + v' x above, in closed form.

    Args:
        low: (u, v).
        high: (u', v').

    On a half-line with end e = -mu/sigma and g(z) = f - centre there, integration by parts gives

        sqrt(k) V[p, k] = +-g(e)^p he_{k-1}(e) phi(e) + p v sigma V[p-1, k-1],
        V[p, 0] = g(0) V[p-1, 0] + v sigma V[p-1, 1],

    with he_k = He_k / sqrt(k!) and the sign + above, - below.
    """
    end = torch.clamp(-mu / sigma, -FLAT, FLAT)
    edge = [h * pdf(end) for h in hermite_normalised(end, order)]
    total = []
    for sign, (u, v) in ((-1.0, low), (1.0, high)):
        at_end, slope = u - centre, v * sigma
        at_zero = at_end + v * mu
        # Column k needs column k + 1 of the power below: one more of them for every lower power.
        row = [cdf(-sign * end)]
        row += [sign * e / math.sqrt(k) for k, e in enumerate(edge, start=1)]
        rows, jump = [row], torch.ones_like(mu)
        for p in range(1, degree + 1):
            below, jump = rows[-1], jump * at_end
            row = [at_zero * below[0] + (slope * below[1] if v else 0.0)]
            for k in range(1, order + 1):
                part = sign * jump * edge[k - 1]
                row.append(((part + p * slope * below[k - 1]) if v else part) / math.sqrt(k))
            rows.append(row)
        total.append(torch.stack([torch.stack(r[: order + 1]) for r in rows]))
    return total[0] + total[1]
