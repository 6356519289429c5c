"""Pearson's type III, a shifted gamma law, matched to three cumulants."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.gaussian import quantile_of_log
from workbench.math.law import Law
from workbench.math.quadrature import legendre
from workbench.tails.base import Tail
from workbench.tails.shape import Standard, index_by, standard

_NODES = 64
_DROP = 40.0
_LEAST = 1e-5  # a skewness below which the law is the Gaussian to rounding
_MOST = 2.0  # a skewness beyond which the density has a pole


@dataclass(frozen=True)
class Pearson3(Tail):
    """Z is a shifted gamma variable of mean 0, variance 1 and the margin's skewness, if positive.

    With k = 4 / skew^2, Z = (G - k) / sqrt(k), G ~ Gamma(k) (Pearson 1895). Its logarithm is
    integrated numerically, so that P is right at any depth. On the side where the skewness is
    negative the law ends, and would give 0: there the margin is read as Gaussian. A skewness above
    2 is read as 2. `doubt` says which.
    """

    name: ClassVar[str] = "pearson3"

    def index(self, law: Law) -> Tensor:
        return index_by(law, self.name, _upper)

    def doubt(self, law: Law) -> str:
        skew = standard(law, self.name).skew
        if bool((skew < -_LEAST).any()):
            return "the tail of a margin is lighter than Gaussian, and is read as Gaussian"
        if bool((skew > _MOST).any()):
            return "the skewness of a margin is above 2, and is read as 2"
        return ""


def _log_density(t: Tensor, skew: Tensor) -> Tensor:
    """log of the density at t; sqrt(k) = 2 / skew."""
    x = 0.5 * skew * t
    k = 4.0 / skew.square()
    # k (log(1 + x) - x) by series where x is small, for k is large there.
    small = x.abs() < 1e-2
    safe = torch.where(small, 1.0, x)
    power, series = torch.ones_like(x), torch.zeros_like(x)
    for n in range(2, 12):
        series = series - power * ((-1.0) ** n / n)
        power = power * x
    gap = torch.where(small, t * t * series, k * (torch.log1p(safe) - safe))
    # Stirling's series for log Gamma(k): k >= 1.
    shift = k + 8.0
    tail = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / shift**2) / shift**2) / shift
    steps = sum(torch.log1p(j / k) for j in range(8))
    # log Gamma(k) - ((k - 1/2) log k - k), from log Gamma(k + 8) down.
    rest = (k + 7.5) * torch.log1p(8.0 / k) - 8.0 + tail - steps
    return gap - torch.log1p(x) - rest - 0.5 * math.log(2.0 * math.pi)


def _upper(s: Standard) -> Tensor:
    heavy = s.skew > _LEAST
    skew = torch.where(heavy, torch.clamp(s.skew, max=_MOST), 1.0)
    z = s.z
    with torch.no_grad():
        floor = _log_density(z, skew) - _DROP
        low, high = torch.zeros_like(z), torch.full_like(z, 1e-3)
        for _ in range(40):
            high = torch.where(_log_density(z + high, skew) > floor, 2.0 * high, high)
        for _ in range(30):
            mid = 0.5 * (low + high)
            above = _log_density(z + mid, skew) > floor
            low, high = torch.where(above, mid, low), torch.where(above, high, mid)
    t, w = legendre(_NODES, z.dtype, z.device)
    u = 0.5 * high[..., None] * (t + 1.0)
    logs = _log_density(z[..., None] + u, skew[..., None]) + torch.log(0.5 * high[..., None] * w)
    index = -quantile_of_log(torch.logsumexp(logs, dim=-1))
    return torch.where(heavy, index, z)
