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
