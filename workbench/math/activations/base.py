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

FLAT = 40.0  # phi(40) underflows: beyond it every derivative of order 2 and more is 0.


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
