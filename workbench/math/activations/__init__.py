"""Activation functions under a Gaussian input, one row each.

For X ~ N(mu, sigma^2) with Z = (X - mu) / sigma a row gives the mean and variance of f(X) and the
coefficients b_k = E[f(X) He_k(Z)] / sqrt(k!) = sigma^k E[f^(k)(X)] / sqrt(k!), k = 1..K. Then for
jointly Gaussian X_i, X_j of correlation rho (Mehler 1866)

    Cov(f(X_i), f(X_j)) = sum_{k>=1} b_k(i) b_k(j) rho^k        and  Var f(X_i) = sum_k b_k(i)^2.

Every partial sum with the exact variance on its diagonal is positive semi-definite, and the
dropped part of entry (i, j) is at most |rho|^(K+1) sqrt(tail_i tail_j), where tail_i is
Var f(X_i) - sum_{k<=K} b_k(i)^2.
"""

from workbench.errors import Unsupported
from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.activations.gelu import GELU, owen_t
from workbench.math.activations.relu import ReLU
from workbench.math.activations.step import Heaviside, Sign
from workbench.math.activations.tanh import Tanh

ACTIVATIONS: dict[str, Activation] = {
    row.name: row for row in (ReLU(), GELU(), Tanh(), Heaviside(), Sign())
}


def activation(name: str) -> Activation:
    """The row called `name`. Raises `Unsupported` with the known names."""
    if name not in ACTIVATIONS:
        raise Unsupported(f"activation {name!r}", f"known rows are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


__all__ = ["ACTIVATIONS", "Activation", "activation", "hermite_normalised", "owen_t"]
