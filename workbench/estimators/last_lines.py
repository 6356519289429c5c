"""How likely a recurrent network says the median on a line along its last input, exactly.

Given x_1, ..., x_(n-1) the network is piecewise linear in the last input s, with a bend where one
of its h units turns on or off, and so is the median, which follows s between two of the other
values and rests beyond them. Between all these places the error is linear in s: where it is small
is an interval, of which Phi tells the probability.
"""

import torch
from torch import Tensor

from workbench.estimators.half_planes import before_last
from workbench.models import RNN

_FAR = 9.0  # deviations: what lies beyond, 1e-19, is left out


@torch.no_grad()
def shares(model: RNN, w: Tensor, within: float) -> Tensor:
    """P(|y - median(x)| < within | w), the last input N(0, 1), `(l,)`.

    Args:
        model: n steps of one number each, one output, ReLUs, no biases.
        w: x_1, ..., x_(n-1), `(l, n - 1)`.
        within: in units of x.
    """
    if within <= 0.0:
        return w.new_zeros(len(w))
    slope, least = model.read.weight[:, 0], torch.finfo(w.dtype).tiny
    carried = model.recur(before_last(model, w))
    bends = -carried / torch.where(slope == 0, least, slope)
    low, high, rest, share = _middle(w)
    edge = torch.full_like(w[:, :1], _FAR)
    cuts = torch.cat([-edge, bends, low, high, edge], 1).clamp(-_FAR, _FAR).sort(1).values
    hidden = torch.relu(carried[:, None] + cuts[..., None] * slope)
    off = model.say(hidden)[..., 0] - rest - share * cuts.clamp(low, high)
    start, rise = off[:, :-1], off.diff(dim=1)
    flat = rise.abs() < least
    ends = (torch.tensor([-within, within], dtype=off.dtype)[:, None, None] - start) / torch.where(
        flat, 1.0, rise
    )
    first, last = ends.amin(0).clamp(0.0, 1.0), ends.amax(0).clamp(0.0, 1.0)
    near = start.abs() < within
    first = torch.where(flat, 0.0, first)
    last = torch.where(flat, near.to(off.dtype), last)
    at = [torch.special.ndtr(torch.lerp(cuts[:, :-1], cuts[:, 1:], f)) for f in (first, last)]
    return (at[1] - at[0]).sum(1)


def _middle(w: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """median(w, s) = rest + share * clamp(s, low, high): low, high, rest `(l, 1)`, and share."""
    m = w.shape[1]
    ordered = torch.sort(w, 1).values
    below, above = (m + 1) // 2 - 1, m // 2 + (m % 2)
    if m % 2 == 0:
        return ordered[:, below, None], ordered[:, above, None], 0.0 * w[:, :1], 1.0
    low, high = (
        ordered[:, i, None] if 0 <= i < m else torch.full_like(w[:, :1], far)
        for i, far in ((below - 1, -_FAR), (above, _FAR))
    )
    return low, high, 0.5 * ordered[:, below, None], 0.5


def flops(model: RNN, n: int) -> float:
    """Operations of one line: its pass over w, then h + 4 cuts of one output, 40 a piece for Phi.

    A multiply-add is two, all else one a number.
    """
    h = model.recur.in_features
    step, cuts = 2.0 * h * h + 3.0 * h, h + 4
    return (n - 1) * step + 2.0 * h * h + 6.0 * h * cuts + 50.0 * cuts
