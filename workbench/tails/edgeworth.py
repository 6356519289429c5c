"""Edgeworth series: the Gaussian and its first corrections."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.gaussian import hazard, log_cdf, quantile_of_log
from workbench.math.law import Law
from workbench.tails.base import Tail
from workbench.tails.shape import Standard, index_by, standard


@dataclass(frozen=True)
class Edgeworth(Tail):
    """P(Z > z) = Phi(-z) + phi(z) (skew He_2(z)/6 + kurtosis He_3(z)/24 + skew^2 He_5(z)/72).

    (Edgeworth 1905.) A series in powers of z: good near the middle, and in the tail it may pass
    below 0 or above 1/2. There the margin is read as Gaussian, and `doubt` says so.
    """

    name: ClassVar[str] = "edgeworth"

    def index(self, law: Law) -> Tensor:
        return index_by(law, self.name, _upper)

    def doubt(self, law: Law) -> str:
        if bool((~_sound(_factor(standard(law, self.name)))).any()):
            return (
                "the Edgeworth series gave no probability for a margin, which is read as Gaussian"
            )
        return ""


def _factor(s: Standard) -> Tensor:
    """P(Z > z) / Phi(-z)."""
    z, z2 = s.z, s.z.square()
    series = s.skew * (z2 - 1.0) / 6.0 + s.kurtosis * z * (z2 - 3.0) / 24.0
    series = series + s.skew.square() * z * (z2 * (z2 - 10.0) + 15.0) / 72.0
    return 1.0 + hazard(-z) * series


def _sound(factor: Tensor) -> Tensor:
    return (factor > 1e-3) & torch.isfinite(factor)


def _upper(s: Standard) -> Tensor:
    factor = _factor(s)
    sound = _sound(factor)
    log_p = log_cdf(-s.z) + torch.log(torch.where(sound, factor, 1.0))
    sound = sound & (log_p < -math.log(1.0 + 1e-6))
    return torch.where(sound, -quantile_of_log(torch.where(sound, log_p, -1.0)), s.z)
