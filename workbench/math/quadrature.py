"""Nodes and weights on fixed rules, made once per dtype and device."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@lru_cache(maxsize=64)
def legendre(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre on [-1, 1]: nodes and weights, each `(n,)`."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (
        torch.as_tensor(x, dtype=dtype, device=device),
        torch.as_tensor(w, dtype=dtype, device=device),
    )


@lru_cache(maxsize=16)
def normal_trapezoid(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The trapezoidal rule for E f(Z), Z ~ N(0, 1), on [-9, 9]: nodes and weights, each `(n,)`.

    Converges geometrically for analytic f (Trefethen & Weideman 2014), and, unlike
    Gauss-Hermite, at a rate set by the distance of f's poles and not by its growth at infinity.
    """
    x = np.linspace(-9.0, 9.0, n)
    w = np.exp(-0.5 * x * x)
    w /= w.sum()
    return (
        torch.as_tensor(x, dtype=dtype, device=device),
        torch.as_tensor(w, dtype=dtype, device=device),
    )


@lru_cache(maxsize=16)
def hermite(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Gauss-Hermite for E f(Z), Z ~ N(0, 1), exact to degree 2 n - 1: each `(n,)`."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    return (
        torch.as_tensor(x, dtype=dtype, device=device),
        torch.as_tensor(w / w.sum(), dtype=dtype, device=device),
    )


@lru_cache(maxsize=16)
def kronrod(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Gauss-Kronrod on [-1, 1]: 15 nodes, weights of the 7-point Gauss rule (0 at the nodes that it
    lacks) and weights of the 15-point rule (Kronrod 1965), each `(15,)`.

    The added nodes are the roots of the Stieltjes polynomial E with E P_7 orthogonal to all lower
    powers; both follow here from exact moments.
    """
    few, w7 = np.polynomial.legendre.leggauss(7)
    x = np.sort(np.concatenate([few, _stieltjes_roots(7)]))
    # The weights that integrate all polynomials of degree 14 by interpolation.
    k = np.arange(15)
    vandermonde = np.polynomial.legendre.legvander(x, 14)
    fine = np.linalg.solve(vandermonde.T, np.where(k == 0, 2.0, 0.0))
    coarse = np.zeros(15)
    coarse[1::2] = w7
    return (
        torch.as_tensor(x, dtype=dtype, device=device),
        torch.as_tensor(coarse, dtype=dtype, device=device),
        torch.as_tensor(fine, dtype=dtype, device=device),
    )


def _stieltjes_roots(n: int) -> np.ndarray:
    """Roots of E of degree n + 1 with int E P_n P_k = 0 for k <= n, E = P_{n+1} + sum c_j P_j."""
    x, w = np.polynomial.legendre.leggauss(2 * n + 3)
    p = np.polynomial.legendre.legvander(x, n + 1)
    inner = (p * (w * p[:, n])[:, None]).T @ p  # int P_j P_k P_n
    # int P_j P_k P_n vanishes unless j + k + n is even: only rows of that parity bind.
    c = np.linalg.lstsq(inner[: n + 1, : n + 1], -inner[: n + 1, n + 1], rcond=1e-10)[0]
    return np.real(np.polynomial.legendre.legroots(np.concatenate([c, [1.0]])))
