"""What an explanation accounts for on inputs, what it leaves, and how unlikely either is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.math.gaussian import log_cdf_value

_ROUNDING = 1e-9  # standard deviations of the behaviour: what is less is none
_ACCURACY = 1e-2  # the same: propagation's series is no better
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Account:
    """What was seen on inputs and what the explanation accounts for. Margins `(batch, r)`.

    Args:
        seen: s.
        explained: E[s | explained terms].
        std: standard deviation of s that propagation presumes around it.
        scale: `(r,)`, standard deviation of s on trusted data.
        terms: `(batch, k)`, what the explained terms show: mean 0 and covariance I on trusted data.
    """

    seen: Tensor
    explained: Tensor
    std: Tensor
    scale: Tensor
    terms: Tensor

    @property
    def unexplained(self) -> Tensor:
        """`(batch,)`: the part of the behaviour that is not accounted for, in standard deviations
        of the behaviour on trusted data; the root mean square over margins. Rounding is 0."""
        left = ((self.seen - self.explained) / self.scale).square().mean(1).sqrt()
        return torch.where(left <= _ROUNDING, 0.0, left)

    @property
    def surprise(self) -> Tensor:
        """`(batch,)`, nats: how unlikely it is on trusted data that so much is left, or that terms
        are as far out, whichever is the less likely; at most 690.

        -log min(p, q): p = 2 r Phi(-max_i |s_i - E[s_i | terms]| / std_i), at most 1, of the r
        margins (Bonferroni); q = P(chi^2_k > |terms|^2). A std below a hundredth of the scale,
        which is what propagation is good for, counts as that.
        """
        std = (self.std.square() + (_ACCURACY * self.scale).square()).sqrt()
        far = ((self.seen - self.explained) / std).abs().amax(1)
        log_p = (math.log(2.0 * self.seen.shape[1]) + log_cdf_value(-far)).clamp(max=0.0)
        half = self.terms.new_tensor(0.5 * self.terms.shape[1])
        q = torch.special.gammaincc(half, 0.5 * self.terms.square().sum(1))
        return -torch.minimum(log_p, q.clamp(min=_TINY).log()).clamp(min=math.log(_TINY))
