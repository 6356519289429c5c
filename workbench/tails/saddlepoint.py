"""Saddlepoint approximation from three or four cumulants, in log space."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.law import Law
from workbench.tails.base import Tail
from workbench.tails.shape import Standard, index_by, standard

_NEAR = 1e-3


@dataclass(frozen=True)
class Saddlepoint(Tail):
    """P(Z > z) = Phi(-r*), r* = w + log(u / w) / w: never negative (Barndorff-Nielsen 1986).

    K(t) = t^2/2 + skew t^3/6 + kurtosis t^4/24 is the cumulant generating function of Z cut off
    after four terms; K'(t) = z, w^2 = 2 (t z - K(t)), u = t sqrt(K''(t)). K' must rise: where
    kurtosis < skew^2 / 2, which leaves K'' with a zero, it is lifted to that (and `doubt` says so).
    To the order of the cumulants it agrees with Lugannani and Rice (1980).
    """

    name: ClassVar[str] = "saddlepoint"

    def index(self, law: Law) -> Tensor:
        return index_by(law, self.name, _upper)

    def doubt(self, law: Law) -> str:
        s = standard(law, self.name)
        if bool((s.kurtosis < 0.5 * s.skew.square() - 1e-12).any()):
            return (
                "a margin's fourth cumulant was lifted: with its third it made no law that "
                "the saddlepoint tail can follow"
            )
        return ""


def _upper(s: Standard) -> Tensor:
    z, a = s.z, s.skew
    # The smallest kurtosis for which K'' = 1 + a t + c t^2 / 2 has no zero, with a little room.
    c = torch.maximum(s.kurtosis, 0.55 * a.square())
    t = _root(z.detach(), a.detach(), c.detach())
    curve = 1.0 + a * t + 0.5 * c * t * t
    # One differentiable Newton step from the root: the root's value, with its derivatives.
    t = t - (t * (1.0 + t * (a / 2.0 + t * c / 6.0)) - z) / curve.detach()
    curve = 1.0 + a * t + 0.5 * c * t * t
    # w^2 = 2 (t z - K(t)) with z = K'(t): nothing cancels for a small t.
    share = 1.0 + t * (2.0 * a / 3.0 + t * c / 4.0)
    near = t < _NEAR
    safe = torch.where(near, 1.0, t)
    w = safe * torch.sqrt(torch.where(near, 1.0, share))
    ratio = 0.5 * (
        torch.log(torch.where(near, 1.0, curve)) - torch.log(torch.where(near, 1.0, share))
    )
    far = w + ratio / w
    # w = t + O(t^2) and log(u / w) / w = a/6 + (c/8 - 7 a^2 / 36) t + O(t^2), by series.
    close = a / 6.0 + t * (1.0 + c / 8.0 - 7.0 * a.square() / 36.0)
    return torch.where(near, close, far)


def _root(z: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """t >= 0 with t + a t^2 / 2 + c t^3 / 6 = z, for z >= 0, by Newton steps.

    They need no guard: the slope is above 1/11 everywhere, since c >= 0.55 a^2, so that a step
    passes the root twice at most, and from then on every step comes nearer from the same side.
    """
    t = z
    for _ in range(100):
        step = (t * (1.0 + t * (a / 2.0 + t * c / 6.0)) - z) / (1.0 + t * (a + 0.5 * c * t))
        t = t - step
        if bool((step.abs() <= 1e-12 * t.abs()).all()):
            break
    return t
