"""The loss by which estimates of rare probabilities are scored, after a fit in log space."""

import torch
from torch import Tensor

_STEPS = 100
_RIDGE = 1e-9


def loss(log_p: Tensor, log_q: Tensor) -> Tensor:
    """p/q - log(p/q) - 1 (Itakura & Saito 1968), 0 where q = p, infinite at q = 0.

    >>> loss(torch.tensor(0.0), torch.tensor(0.0)).item()
    0.0
    """
    gap = log_p - log_q
    return torch.exp(gap) - gap - 1.0


def fit(log_p: Tensor, log_q: Tensor) -> tuple[float, float]:
    """(a, b) for which log q' = a log q + b has the least mean loss: convex, by Newton's method.

    Args:
        log_p: `(n,)` truths.
        log_q: `(n,)` estimates, all finite.
    """
    x = torch.stack([log_q, torch.ones_like(log_q)], 1)
    theta = torch.linalg.lstsq(x, log_p[:, None]).solution[:, 0]
    value = loss(log_p, x @ theta).mean()
    for _ in range(_STEPS):
        ratio = torch.exp(log_p - x @ theta)
        slope = (x * (1.0 - ratio)[:, None]).mean(0)
        curve = (x.T * ratio) @ x / len(x)
        curve = curve + _RIDGE * torch.trace(curve) * torch.eye(2, dtype=x.dtype)
        move = torch.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-8:
            trial = theta - size * move
            better = loss(log_p, x @ trial).mean()
            if better < value:
                break
            size /= 2.0
        else:
            break
        theta, value = trial, better
    return float(theta[0]), float(theta[1])


def left_out(log_p: Tensor, log_q: Tensor) -> float:
    """Mean loss of every estimate after the fit to all the others; see Wu & Hilton (2410.13211)."""
    losses = []
    for i in range(len(log_p)):
        others = torch.arange(len(log_p)) != i
        a, b = fit(log_p[others], log_q[others])
        losses.append(loss(log_p[i], a * log_q[i] + b))
    return float(torch.stack(losses).mean())
