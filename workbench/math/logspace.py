"""Sums and differences of probabilities by their logarithms, safe at log P = -inf."""

import math

import torch
from torch import Tensor

LN10 = math.log(10.0)


def to_log10(log_p: float | Tensor) -> float:
    """log10 P from log P, as a Python float."""
    return float(log_p.detach() if isinstance(log_p, Tensor) else log_p) / LN10


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x <= 0, without cancellation at either end (Maechler 2012).

    >>> float(log1mexp(torch.tensor(-1e-20, dtype=torch.float64)))  # log(1e-20)
    -46.051701859880914
    """
    near = x > -math.log(2.0)
    a = torch.where(near, x, torch.full_like(x, -1.0))
    b = torch.where(near, torch.full_like(x, -1.0), x)
    return torch.where(near, torch.log(-torch.expm1(a)), torch.log1p(-torch.exp(b)))


def log_sub(a: Tensor, b: Tensor) -> Tensor:
    """log(exp(a) - exp(b)) for b <= a; -inf (with zero gradient) where b >= a."""
    alive = b < a
    gap = torch.where(alive, b - torch.where(alive, a, torch.zeros_like(a)), -1.0)
    return torch.where(alive, a + log1mexp(gap), -math.inf)


def log_sum(x: Tensor, dim: int = -1) -> Tensor:
    """log sum exp along `dim`; where every term is -inf the answer is -inf with zero gradient.

    (`torch.logsumexp` has NaN gradients there.)
    """
    top = x.detach().amax(dim=dim, keepdim=True)
    dead = torch.isneginf(top)
    top = torch.where(dead, 0.0, top)
    finite = torch.where(torch.isneginf(x), -math.inf, x)
    total = torch.exp(finite - top).sum(dim=dim, keepdim=True)
    safe = torch.where(dead, 1.0, total)
    return torch.where(dead, -math.inf, top + torch.log(safe)).squeeze(dim)


def log_plus(log_total: float, logs: Tensor) -> float:
    """log(exp(log_total) + sum exp(logs)), a running sum.

    >>> round(log_plus(math.log(0.25), torch.log(torch.tensor([0.5, 0.25]))), 12)
    0.0
    """
    return float(log_sum(torch.cat([logs.new_tensor([log_total]), logs])))


def effective(log_w: Tensor) -> float:
    """How many equal weights carry as much as these, (sum w)^2 / sum w^2 (Kish 1965).

    >>> round(effective(torch.log(torch.tensor([3.0, 3.0, 3.0], dtype=torch.float64))), 12)
    3.0
    """
    return math.exp(2.0 * float(log_sum(log_w)) - float(log_sum(2.0 * log_w)))
