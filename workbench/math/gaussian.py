"""The standard normal law by its logarithms: density, distribution function, hazard.

`torch.special.log_ndtr` has right values far out but wrong gradients; the scaled complementary
error function gives both: log Phi(x) = -x^2/2 + log(erfcx(-x / sqrt 2) / 2) for x < 0.
"""

import math
from typing import Any

import torch
from torch import Tensor

from workbench.math.logspace import log1mexp

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
TWO_SIDED_95 = 1.959963984540054
"""Standard deviations that hold 95% of a normal law."""
ONE_SIDED_95 = 1.6448536269514722
"""Standard deviations below which 95% of a normal law lies."""
SQRT_2 = math.sqrt(2.0)
SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
_TAIL = -12.0


def log_pdf(x: Tensor) -> Tensor:
    """log phi(x) = -x^2/2 - log sqrt(2 pi)."""
    return -0.5 * x * x - LOG_SQRT_2PI


def pdf(x: Tensor) -> Tensor:
    """phi(x)."""
    return torch.exp(log_pdf(x))


def cdf(x: Tensor) -> Tensor:
    """Phi(x), with full relative accuracy in the lower tail."""
    return 0.5 * torch.erfc(-x / SQRT_2)


def log_cdf_value(x: Tensor) -> Tensor:
    """log Phi(x) without a gradient, for use inside a custom backward."""
    low = torch.clamp(x, max=0.0)
    high = torch.clamp(x, min=0.0)
    lower = -0.5 * low * low + torch.log(0.5 * torch.special.erfcx(-low / SQRT_2))
    upper = torch.log1p(-0.5 * torch.erfc(high / SQRT_2))
    return torch.where(x < 0, lower, upper)


def hazard_value(x: Tensor) -> Tensor:
    """phi(x) / Phi(x) without a gradient."""
    return SQRT_2_OVER_PI / torch.special.erfcx(x * (-1.0 / SQRT_2))


def _excess(x: Tensor) -> Tensor:
    """x + hazard(x): the mean of N(0, 1) + x given that it is positive; ~ 1/|x| far below."""
    far = torch.clamp(x, max=_TAIL)
    u = -far
    # Laplace's continued fraction of the Mills ratio: excess = 1/(u + 2/(u + 3/(u + ...))).
    tail = u
    for k in range(30, 1, -1):
        tail = u + k / tail
    near = torch.clamp(x, min=_TAIL)
    return torch.where(x < _TAIL, 1.0 / tail, near + hazard_value(near))


class _LogCdf(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return log_cdf_value(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (grad,), (x,) = grad_outputs, ctx.saved_tensors
        return grad * hazard(x)


class _Hazard(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return hazard_value(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (grad,), (x,) = grad_outputs, ctx.saved_tensors
        return -grad * hazard(x) * excess(x)


class _Excess(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _excess(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (grad,), (x,) = grad_outputs, ctx.saved_tensors
        return grad * (1.0 - hazard(x) * excess(x))


def log_cdf(x: Tensor) -> Tensor:
    """log Phi(x), right in value and gradient from -1e8 upward and beyond.

    >>> round(float(log_cdf(torch.tensor(-40.0, dtype=torch.float64))), 6)
    -804.608442
    """
    return _LogCdf.apply(x)  # type: ignore[return-value]


def log_cdf_inverse(log_p: Tensor) -> Tensor:
    """x with log Phi(x) = log_p <= 0; no gradient. 0 gives inf, -inf -inf.

    By Newton's method in the lower tail: where P is above a half, on 1 - P.

    >>> round(float(log_cdf_inverse(torch.tensor(-804.608442, dtype=torch.float64))), 6)
    -40.0
    """
    inside = torch.isfinite(log_p) & (log_p < 0)
    p = torch.where(inside, log_p.detach(), -1.0)
    upper = p > -math.log(2.0)
    p = torch.where(upper, log1mexp(p), p)
    # A start below the root: log Phi is concave and rising, so that Newton climbs to it.
    x = -torch.sqrt(torch.clamp(-2.0 * p, min=1.0)) - 1.0
    for _ in range(60):
        step = (p - log_cdf_value(x)) / hazard_value(x)
        x = x + step
        if bool((step.abs() <= 1e-14 * (1.0 + x.abs())).all()):
            break
    x = torch.where(upper, -x, x)
    beyond = torch.where(log_p < 0, -math.inf, math.inf).to(x)  # two numbers have no dtype of x
    return torch.where(inside, x, beyond)


class _Quantile(torch.autograd.Function):
    @staticmethod
    def forward(log_p: Tensor) -> Tensor:
        return log_cdf_inverse(log_p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (grad,), (x,) = grad_outputs, ctx.saved_tensors
        inside = torch.isfinite(x)
        return torch.where(inside, grad / hazard(torch.where(inside, x, 0.0)), 0.0)


def quantile_of_log(log_p: Tensor) -> Tensor:
    """`log_cdf_inverse`, with its gradient 1 / hazard(x).

    >>> round(float(quantile_of_log(torch.tensor(-804.608442, dtype=torch.float64))), 6)
    -40.0
    """
    return _Quantile.apply(log_p)  # type: ignore[return-value]


def hazard(x: Tensor) -> Tensor:
    """phi(x) / Phi(x) = d log Phi / dx; ~ |x| in the lower tail."""
    return _Hazard.apply(x)  # type: ignore[return-value]


def excess(x: Tensor) -> Tensor:
    """x + phi(x)/Phi(x) without cancellation: E[X | X > 0] for X ~ N(x, 1)."""
    return _Excess.apply(x)  # type: ignore[return-value]
