"""How much of a half-plane of inputs a recurrent network gets right, exactly.

A ReLU network without biases is homogeneous, and so is the order of its inputs: whether it points
at the right one depends on the direction of x alone. The half-planes that hold the axis e_n of the
last input share out all directions; on one, x = c w + s e_n with c >= 0, h_(n-1) = c h_(n-1)(w) is
known from one pass over w, and the last step bends at no more than h places. Between bends every
output is linear in (c, s): the interval on which one beats all others follows from the two ends.
"""

import torch
from torch import Tensor

from workbench.math.cosine import cosine_cdf
from workbench.models import RNN

_FAR = 1e18  # a slope, well within single precision when squared


@torch.no_grad()
def shares(model: RNN, w: Tensor, a: Tensor | None, b: Tensor | None) -> Tensor:
    """P(the model points at the right input | the half-plane of w), x ~ N(0, I), `(l,)`.

    Args:
        model: n steps of one number each, n outputs, ReLUs, no biases.
        w: directions of x_1, ..., x_(n-1), `(l, n - 1)`, of any length.
        a: `(l,)`: which entry of w is the right answer where the last input is above it; None
            where none ever is.
        b: `(l,)`: which is where the last input is below it; or None. In between it is the last.
    """
    w = w / w.norm(dim=1, keepdim=True)
    n = w.shape[1] + 1
    slope = model.read.weight[:, 0]
    carried = model.recur(before_last(model, w))  # (l, h): pre-activations at (c, s) = (1, 0)
    bends = -carried / torch.where(slope == 0, torch.finfo(w.dtype).tiny, slope)
    bends = bends.clamp(-_FAR, _FAR)
    above, below = (None if i is None else w.gather(1, i[:, None]) for i in (a, b))
    ends = [e for e in (above, below) if e is not None]
    t, order = torch.sort(torch.cat([bends, *ends], 1), dim=1)
    c = torch.rsqrt(1.0 + t * t)
    zero, one = torch.zeros_like(t[:, :1]), torch.ones_like(t[:, :1])
    c, s = torch.cat([zero, c, zero], 1), torch.cat([-one, t * c, one], 1)
    hidden = torch.relu(c[..., None] * carried[:, None] + s[..., None] * slope)
    # A unit is 0 where it bends, which rounding would not have.
    place = torch.argsort(order, 1)[:, : len(slope)]
    hidden.scatter_(1, 1 + place[:, None], 0.0)
    y = model.say(hidden)
    start = torch.cat([-torch.inf * one, t], 1)
    right = torch.full_like(start, n - 1, dtype=torch.int64)
    if a is not None and above is not None:
        right = torch.where(start >= above, a[:, None], right)
    if b is not None and below is not None:
        right = torch.where(start < below, b[:, None], right)
    first, last = _interval(y, right)
    angle = [_angle(c, s, q) for q in (first, last)]
    return (cosine_cdf(angle[1], n - 2) - cosine_cdf(angle[0], n - 2)).sum(1)


def flops(model: RNN, n: int) -> float:
    """Operations of one half-plane: its pass over w, then h + 3 pieces of n linear outputs.

    A multiply-add is two, all else one a number: six an output and piece, 30 a cut for its angle.
    """
    h = model.recur.in_features
    step, cuts = 2.0 * h * h + 3.0 * h, h + 4
    out = 2.0 * n * h * cuts + 6.0 * n * (cuts - 1)
    return (n - 1) * step + 2.0 * h * h + 4.0 * h * cuts + out + 30.0 * cuts


def before_last(model: RNN, w: Tensor) -> Tensor:
    """Hidden state `(l, h)` after all inputs but the last, w `(l, n - 1)`."""
    h = torch.relu(model.read(w[:, :1]))
    for k in range(1, w.shape[1]):
        h = torch.relu(model.read(w[:, k : k + 1]) + model.recur(h))
    return h


def _interval(y: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """On which share of each piece the right output is above all others, from where to where.

    Args:
        y: at the cuts `(l, k + 1, n)`, linear between them.
        right: `(l, k)`.
    """
    own = right[..., None]
    low, high = ((at.gather(2, own) - at).scatter_(2, own, 1.0) for at in (y[:, :-1], y[:, 1:]))
    whole = torch.minimum(low, high).amin(2) > 0
    first, last = torch.zeros_like(whole, dtype=y.dtype), whole.to(y.dtype)
    # Where some rival is ahead at one end and none at both: few pieces.
    cut = torch.nonzero(~whole & (torch.maximum(low, high).amin(2) > 0), as_tuple=True)
    low, high = low[cut], high[cut]
    share = low / (low - high)
    start = torch.where(low > 0, 0.0, share).amax(1)
    end = torch.where(high > 0, 1.0, share).amin(1)
    first[cut], last[cut] = start, torch.maximum(start, end)
    return first, last


def _angle(c: Tensor, s: Tensor, share: Tensor) -> Tensor:
    """Angle of the point at this share of each piece's chord."""
    return torch.atan2(
        torch.lerp(s[:, :-1], s[:, 1:], share), torch.lerp(c[:, :-1], c[:, 1:], share)
    )
