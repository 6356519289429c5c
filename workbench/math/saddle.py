"""The tail of a law from its cumulant generating function at the saddlepoint."""

import torch
from torch import Tensor

from workbench.math.gaussian import log_cdf

_NEAR = 1e-4


def log_tail(t: Tensor, k: Tensor, curve: Tensor, rate: Tensor) -> Tensor:
    """log P(S > 0) = log Phi(-(w + log(u / w) / w)), w = sign(t) sqrt(-2 K), u = t sqrt(K'').

    (Barndorff-Nielsen 1986.) Where t is near 0 the normal tail at the mean `rate`.

    Args:
        t: where K'(t) = 0.
        k: K(t) = log E[exp(t S)], at most 0 there.
        curve: K''(t), positive.
        rate: K'(0).
    """
    w = torch.sign(t) * torch.sqrt((-2.0 * k).clamp(min=0.0))
    near = (t.abs() * torch.sqrt(curve) < _NEAR) | (w == 0.0)
    safe = torch.where(near, 1.0, w)
    u = torch.where(near, 1.0, t * torch.sqrt(curve))
    index = torch.where(near, rate / torch.sqrt(curve), -(safe + torch.log(u / safe) / safe))
    return log_cdf(index)
