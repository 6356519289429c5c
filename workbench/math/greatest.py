"""The mean of the greatest of jointly Gaussian variables."""

import torch
from torch import Tensor

from workbench.math.gaussian import cdf, pdf

_LEAST = 1e-12


def greatest(mean: Tensor, cov: Tensor) -> Tensor:
    """E max_r X_r `(...)` for X ~ N(mean, cov), by moments of one maximum after the other
    (Clark 1961): exact for two, and for any number presuming each maximum Gaussian.

    Args:
        mean: `(..., R)`.
        cov: `(..., R, R)`, broadcast over the leading axes.

    >>> import torch
    >>> two = greatest(torch.zeros(2), torch.eye(2))
    >>> round(float(two), 6)  # 1 / sqrt(pi)
    0.56419
    """
    m = mean[..., 0]
    var = cov[..., 0, 0].expand(m.shape)
    shared = cov[..., 0, :].expand(mean.shape)
    for r in range(1, mean.shape[-1]):
        other, v = mean[..., r], cov[..., r, r]
        gap = torch.sqrt((var + v - 2.0 * shared[..., r]).clamp(min=_LEAST))
        t = (m - other) / gap
        wins, edge = cdf(t), gap * pdf(t)
        first = m * wins + other * (1.0 - wins) + edge
        second = (
            (m.square() + var) * wins
            + (other.square() + v) * (1.0 - wins)
            + (m + other) * edge
        )  # fmt: skip
        shared = shared * wins[..., None] + cov[..., r, :] * (1.0 - wins)[..., None]
        m, var = first, (second - first.square()).clamp(min=_LEAST)
    return m
