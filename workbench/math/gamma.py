"""Quantiles of the gamma law by their logarithms, as a function of a standard normal."""

import math
from typing import Any

import torch
from scipy.special import gammainccinv, gammaincinv, ndtr
from torch import Tensor

from workbench.math.gaussian import log_cdf_value, log_pdf

FURTHEST = 37.0
"""Standard deviations beyond which z counts as this far: a probability of 1e-299."""
_SMALL = -40.0  # log x from which on P(a, x) = x^a / Gamma(a + 1) in double precision


class _Quantile(torch.autograd.Function):
    @staticmethod
    def forward(z: Tensor, a: float) -> Tensor:
        return _quantile(z, a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        z, ctx.a = inputs
        ctx.save_for_backward(z, output)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (grad,), (z, v), a = grad_outputs, ctx.saved_tensors, ctx.a
        slope = torch.exp(log_pdf(z) - (a * v - torch.exp(v) - math.lgamma(a)))
        return grad * torch.where(z.abs() < FURTHEST, slope, 0.0), None


def log_gamma_quantile(z: Tensor, a: float) -> Tensor:
    """log x with P(X <= x) = Phi(z) for X of the gamma law of shape a and scale 1.

    In float64, with its gradient in z, right to 1e-10 for |z| < 37 and a up to 5e5; constant
    beyond. The logarithm holds where x itself would be 0.

    Args:
        z: of any shape, in float64.
        a: above 0.

    >>> x = log_gamma_quantile(torch.tensor([0.0, -30.0], dtype=torch.float64), 1.0)  # -log(1 - P)
    >>> [round(float(v), 6) for v in x]
    [-0.366513, -454.321244]
    """
    return _Quantile.apply(z, a)  # type: ignore[return-value]


def _quantile(z: Tensor, a: float) -> Tensor:
    z = z.detach().clamp(-FURTHEST, FURTHEST)
    low = z < 0.0
    x = torch.empty_like(z, device="cpu")
    for side, inverse in ((low, gammaincinv), (~low, gammainccinv)):
        beyond = ndtr(-z[side].abs().cpu().numpy())
        x[side.cpu()] = torch.from_numpy(inverse(a, beyond))
    power = (log_cdf_value(z) + math.lgamma(a + 1.0)) / a
    return torch.where(low & (power < _SMALL), power, torch.log(x.to(z)))
