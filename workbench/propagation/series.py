"""How many terms of Mehler's series a covariance needs, and what the rest can be at most."""

import torch
from torch import Tensor

from workbench.errors import BadInput


def check_order(order: int, least: int) -> None:
    """Raises `BadInput` unless the order of a series is a whole number from `least` to 40."""
    if isinstance(order, bool) or not isinstance(order, int) or not least <= order <= 40:
        raise BadInput(f"the order of the Hermite series must be {least} to 40, got {order!r}")


@torch.no_grad()
def enough(corr: Tensor, b: Tensor, var: Tensor, tolerance: float) -> tuple[int, float]:
    """The number of terms that leave at most `tolerance`, and what they leave.

    Both are shares of the product of the standard deviations. Entry (i, j) drops
    sum_{k>K} b_k(i) b_k(j) rho^k, at most |rho|^(K+1) times the root of tail_i tail_j with
    tail_i = var_i - sum_{k<=K} b_k(i)^2 (Cauchy-Schwarz and Parseval).

    Args:
        corr: correlations `(*B, n, n)`; what is on the diagonal does not matter.
        b: coefficients of order 1, 2, .., `(K, *B, n)`.
        var: variances of f(X), X Gaussian, `(*B, n)`.
    """
    rho = torch.triu(corr, 1).abs_().amax()
    tail = 1.0 - b.square().cumsum(0) / torch.where(var > 0, var, 1.0)
    worst = torch.where(var > 0, tail, 0.0).flatten(1).amax(1).clamp(min=0.0)
    bounds = rho ** torch.arange(2, len(b) + 2, dtype=rho.dtype, device=rho.device) * worst
    found = (bounds <= tolerance).nonzero()
    terms = int(found[0]) + 1 if len(found) else len(b)
    return terms, float(bounds[terms - 1])
