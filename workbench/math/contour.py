"""The tail of a sum of independent discrete terms and a Gaussian, along the saddle contour."""

import math

import torch
from torch import Tensor

_HALVINGS, _DOUBLINGS = 60, 60
_REACH = 8.5  # standard deviations of the Gaussian factor that the contour follows
_NODES = 1 << 14  # the most
_OFF, _APART = 8.0, 40.0  # the least l times the sum's reach; the least l b
_DEAD = -1e300


def slope(rate: Tensor, offset: Tensor, log_p: Tensor, effect: Tensor, noise: Tensor) -> Tensor:
    """K'(rate), the mean of the sum under its tilt; shapes as for `log_tail`."""
    q = torch.softmax(log_p + rate[:, None, None] * effect, -1)
    return offset + rate * noise + (q * effect).sum((1, 2))


@torch.no_grad()
def saddle(offset: Tensor, log_p: Tensor, effect: Tensor, noise: Tensor) -> Tensor:
    """The rate l >= 0 with K'(l) = 0 `(B,)`; 0 where the mean is positive already."""
    low, high = torch.zeros_like(offset), torch.ones_like(offset)
    for _ in range(_DOUBLINGS):
        short = slope(high, offset, log_p, effect, noise) < 0
        if not bool(short.any()):
            break
        high = torch.where(short, 2.0 * high, high)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = slope(middle, offset, log_p, effect, noise) < 0
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low


def log_tail(offset: Tensor, log_p: Tensor, effect: Tensor, noise: Tensor) -> Tensor:
    """log P(offset + sum_i effect[i, X_i] + N(0, noise) > 0), X_i independent, `(B,)`.

    With K the cumulant generating function of the sum, P = (1/2 pi i) int exp(K(z)) / z dz along
    any line Re z = l > 0 (Lugannani & Rice 1980 expand it at the saddle K'(l) = 0). On the saddle
    the integrand oscillates least. The trapezoidal rule of step h adds exp(l k b) P(sum > k b),
    b = 2 pi / h, over k = -1, 1, -2, ...: nothing for k > 0 where b exceeds the sum's reach, and
    exp(-l b) before. With l b at least 40 what is left is that of the convolution of all terms, at
    the price of some hundred evaluations of K, and differentiable.

    Args:
        offset: `(B,)`.
        log_p: `(n, S)` or `(B, n, S)`, normalised; -inf where a value never occurs.
        effect: `(B, n, S)`, finite.
        noise: `(B,)`, variances above 0.
    """
    log_p = torch.where(log_p > -math.inf, log_p, _DEAD).expand(effect.shape)
    rate = saddle(offset.detach(), log_p.detach(), effect.detach(), noise.detach())
    rows = [
        _row(offset[b], log_p[b], effect[b], noise[b], float(rate[b])) for b in range(len(offset))
    ]
    return torch.stack(rows) if rows else offset


def _row(offset: Tensor, log_p: Tensor, effect: Tensor, noise: Tensor, rate: float) -> Tensor:
    alive = log_p > _DEAD
    with torch.no_grad():
        high = torch.where(alive, effect, -math.inf).amax(-1)
        low = torch.where(alive, effect, math.inf).amin(-1)
        sigma = float(torch.sqrt(noise))
        span = float((high - low).sum()) + 2.0 * _REACH * sigma
        rate = max(rate, _OFF / span)  # away from the pole at 0
        step = 2.0 * math.pi / max(2.0 * span, _APART / rate)
        nodes = min(_NODES, math.ceil(_REACH / (sigma * step)) + 2)
    u = torch.arange(nodes, dtype=effect.dtype) * step
    z = torch.complex(torch.full_like(u, rate), u)
    a = torch.where(alive[..., None], log_p[..., None] + z * effect[..., None], _DEAD)
    top = a.real.detach().amax(1, keepdim=True)
    k = (torch.log(torch.exp(a - top).sum(1)) + top[:, 0]).sum(0) + z * offset
    k = k + 0.5 * z * z * noise
    height = k[0].real
    weight = torch.full_like(u, step / math.pi)
    weight[0] *= 0.5
    value = (weight * (torch.exp(k - height) / z).real).sum()
    return height + torch.log(value.clamp(min=1e-300))
