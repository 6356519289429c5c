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


def log_product(a: Tensor, b: Tensor) -> Tensor:
    """log(exp(a) @ exp(b)): a product of matrices of probabilities by their logarithms.

    Each row of a and each column of b is scaled by its greatest entry and the product left to
    `matmul`; where that underflows though it should not, all is summed by `log_sum`. -inf, with
    zero gradient, where every term is.

    Args:
        a: `(..., m, k)`.
        b: `(..., k, n)`.

    >>> a, b = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.2], [0.6]]).log()
    >>> float(log_product(a, b).exp())
    0.4
    """
    top_a = a.detach().amax(-1, keepdim=True).clamp_min(torch.finfo(a.dtype).min)
    top_b = b.detach().amax(-2, keepdim=True).clamp_min(torch.finfo(b.dtype).min)
    total = torch.exp(a - top_a) @ torch.exp(b - top_b)
    lost = total.detach() < torch.finfo(total.dtype).tiny * 1e16  # fewer digits from there on
    if not bool(lost.any()):
        return top_a + top_b + torch.log(total)
    alive = (~torch.isneginf(a)).to(a.dtype) @ (~torch.isneginf(b)).to(b.dtype) > 0
    if bool((lost & alive).any()):
        return log_sum(a[..., :, :, None] + b[..., None, :, :], -2)
    safe = torch.where(alive, total, 1.0)
    return torch.where(alive, top_a + top_b + torch.log(safe), -math.inf)


def log_plus(log_total: float, logs: Tensor) -> float:
    """log(exp(log_total) + sum exp(logs)), a running sum.

    >>> round(log_plus(math.log(0.25), torch.log(torch.tensor([0.5, 0.25]))), 12)
    0.0
    """
    return float(log_sum(torch.cat([logs.new_tensor([log_total]), logs])))


def effective(log_w: Tensor) -> float:
    """How many equal weights carry as much as these, (sum w)^2 / sum w^2 (Kish 1965); 0 of none.

    >>> round(effective(torch.log(torch.tensor([3.0, 3.0, 3.0], dtype=torch.float64))), 12)
    3.0
    """
    total = float(log_sum(log_w))
    return math.exp(2.0 * total - float(log_sum(2.0 * log_w))) if total > -math.inf else 0.0
