"""Independent categorical laws of tokens: their draws, probabilities and exponential tilts."""

import torch
from torch import Tensor

_HALVINGS = 60


def draw(p: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """`(n, T)` independent draws of rows `(T, V)` of probabilities."""
    return torch.multinomial(p, n, replacement=True, generator=generator).T


def log_prob(log_p: Tensor, x: Tensor) -> Tensor:
    """sum_i log_p[i, x_i] `(n,)`, for rows `(T, V)` and x `(n, T)`; carries the graph."""
    return log_p.T.gather(0, x).sum(1)


def log_tilted(log_p: Tensor, slope: Tensor, strength: float | Tensor) -> Tensor:
    """log q, q_i(v) proportional to p_i(v) exp(strength slope[i, v]).

    Args:
        log_p: `(T, V)`, normalised rows; -inf where a token is impossible, which it stays.
        slope: `(T, V)`, finite.
        strength: in reciprocal units of the slope.
    """
    return torch.log_softmax(log_p + strength * slope, 1)


def divergence(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(q || p) in nats, summed over positions; q is 0 wherever p is."""
    ratio = torch.where(log_q > -torch.inf, log_q - log_p, 0.0)
    return (log_q.exp() * ratio).sum()


def tilted_by(log_p: Tensor, slope: Tensor, nats: float) -> Tensor:
    """The tilt along `slope` that spends so many nats; the limit of ever stronger ones, if less.

    Of all q with that KL(q || p) it has the largest expected sum of slopes (Csiszar 1975).

    >>> log_p = torch.tensor([[0.9, 0.1]]).log()
    >>> q = tilted_by(log_p, torch.tensor([[0.0, 1.0]]), 0.5)
    >>> round(float(divergence(q, log_p)), 6), bool(q[0, 1] > log_p[0, 1])
    (0.5, True)
    """
    spread = float((slope.amax(1) - slope.amin(1)).max())
    if spread <= 0.0:
        return log_p
    low, high = 0.0, 1.0 / spread
    while high * spread < 1e6 and float(divergence(log_tilted(log_p, slope, high), log_p)) < nats:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):  # KL grows with the strength
        middle = 0.5 * (low + high)
        spent = float(divergence(log_tilted(log_p, slope, middle), log_p))
        low, high = (middle, high) if spent < nats else (low, middle)
    return log_tilted(log_p, slope, high)
