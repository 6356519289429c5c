"""What an activation does to one neuron that is not quite Gaussian, and to pairs of them.

E g(X) around the independent Gaussians of the same means and variances: every cumulant of order
three and more, and every covariance, is a differential operator (Gram-Charlier),

    E prod_i g_i(X_i) = sum over products of kappa_v / v! of prod_i E d^k_i g_i(Z_i),

and cumulants of the g_i(X_i) are the connected ones among these terms. Kept are those whose square
is of order 1/n^2 in a random network of width n (arXiv 2605.05179): one third or fourth cumulant,
or two covariances; and all covariances between two neurons alone.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.activations import Activation
from workbench.propagation.blocks import outer

_R2, _R6, _R24 = math.sqrt(2.0), math.sqrt(6.0), math.sqrt(24.0)
MOST = 1.0, 2.0
"""Skewness and kurtosis beyond which an expansion around a Gaussian is no density (Barton and
Dennis 1952); what is larger is read as these."""
LEAST = 0.05
"""Share of its Gaussian variance below which an expanded variance is no longer believed."""
STRAINED = (
    "a neuron is too far from Gaussian for a series in its third and fourth cumulants, "
    "which were cut"
)


@dataclass(frozen=True, eq=False)
class Marginals:
    """One layer's neurons g = f(X) - E f(X), each by itself. All `(*B, n)` unless said.

    Attributes:
        mean, var, third, fourth: cumulants of f(X).
        gauss: Var f(X) if X were Gaussian.
        inv: 1 / standard deviation of X, 0 where X is constant.
        skew: kappa_3 of X in units of its standard deviation.
        strained: whether a skewness or kurtosis of X was read as less than it is.
        b: E[f He_k] / sqrt(k!), k = 1, 2, ..; `(K, *B, n)`.
        square: E[g^2 He_k] / sqrt(k!) for k = 1, 2, as X's skewness and kurtosis change it.
        slope: E f'(X).
    """

    mean: Tensor
    var: Tensor
    gauss: Tensor
    third: Tensor
    fourth: Tensor
    inv: Tensor
    skew: Tensor
    strained: bool
    b: Tensor
    square: tuple[Tensor, Tensor]

    @property
    def slope(self) -> Tensor:
        return self.b[0] * self.inv

    @classmethod
    def of(
        cls,
        row: Activation,
        mu: Tensor,
        sd: Tensor,
        alive: Tensor,
        third: Tensor | None,
        fourth: Tensor | None,
        order: int,
    ) -> "Marginals":
        """From the law of X: its mean, its standard deviation, third and fourth cumulants."""
        inv = torch.where(alive, 1.0 / sd, 0.0)
        zero = torch.zeros_like(mu)
        skew = zero if third is None else third * inv * inv * inv
        kurtosis = zero if fourth is None else fourth * inv * inv * inv * inv
        s3, s4 = (torch.clamp(x, -m, m) for x, m in zip((skew, kurtosis), MOST, strict=True))
        strained = bool((s3 != skew).any()) or bool((s4 != kurtosis).any())
        b = row.coefficients(mu, sd, max(order, 4))
        plain, gauss = row.moments(mu, sd)
        mean = plain + s3 * b[2] / _R6 + s4 * b[3] / _R24
        p = row.powers(mu, sd, mean, 4, 6)

        def moment(k: int) -> Tensor:
            return p[k, 0] + s3 * p[k, 3] / _R6 + s4 * p[k, 4] / _R24

        var = moment(2)
        var = torch.where(var > LEAST * gauss, var, gauss)
        var = torch.where(alive, var, 0.0)
        # E d^k g^2 under the same law, k = 1, 2.
        one, two = (
            p[2, k]
            + s3 * p[2, k + 3] * (math.sqrt(math.perm(k + 3, 3)) / 6.0)
            + s4 * p[2, k + 4] * (math.sqrt(math.perm(k + 4, 4)) / 24.0)
            for k in (1, 2)
        )
        third, fourth = moment(3), moment(4) - 3.0 * var.square()
        third, fourth = (torch.where(alive, x, 0.0) for x in (third, fourth))
        return cls(mean, var, gauss, third, fourth, inv, skew, strained, b[:order], (one, two))

    def joint(
        self, rho: Tensor, t: Tensor | None, q: Tensor | None, terms: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Off the diagonal: Cov(g_i, g_j), kappa(g_i, g_i, g_j), kappa(g_i, g_i, g_j, g_j).

        Args:
            rho: correlations of X, 0 on the diagonal; `(*B, n, n)`.
            t: kappa(x_i, x_i, x_j), q: kappa(x_i, x_i, x_j, x_j), in units of the standard
                deviations and 0 on the diagonal; None where they are 0.
            terms: of the Hermite series, at least 2.
        """
        b, (p21, p22) = self.b[:terms], self.square
        t, q = (
            x if x is None else torch.clamp(x, -m, m) for x, m in zip((t, q), MOST, strict=True)
        )
        cov = outer(b[-1])
        for row in b.flip(0)[1:]:
            cov = torch.addcmul(outer(row), cov, rho)
        cov = cov * rho
        third = rho * (_pair(p21, b[0]) + rho * _pair(p22, b[1]))
        fourth = rho * (outer(p21) + rho * outer(p22))
        if t is not None:
            half = t * _pair(b[1] / _R2, b[0])
            cov = cov + half + half.mT
            third = third + t * _pair(p22 / _R2, b[0]) + t.mT * _pair(p21, b[1] / _R2)
            half = t * _pair(p22 / _R2, p21)
            fourth = fourth + half + half.mT
        if q is not None:
            q = 0.5 * q
            cov = cov + q * outer(b[1])
            third = third + q * _pair(p22, b[1])
            fourth = fourth + q * outer(p22)
        return cov, third, fourth - 2.0 * cov.square()


def _pair(x: Tensor, y: Tensor) -> Tensor:
    """x y^T for `(*B, n)`."""
    return x[..., :, None] * y[..., None, :]
