"""Gaussian probabilities of polytopes by separated variables, exponentially tilted.

P(A z + b > 0) for z ~ N(0, I): the constraints are ordered and z rotated so that constraint j is
the first to involve coordinate j (Genz 1992); drawing the coordinates one after the other, each
from N(mu_j, 1) between the bounds that its predecessors leave it, gives an unbiased estimate of P.
The tilt mu is the saddle point at which the weights are bounded best, so that their relative
variance stays small or vanishes in the tail (Botev 2017). Constraints beyond the rank of A bound
the last coordinate that they involve.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.math.gaussian import hazard_value, log_cdf_inverse, log_cdf_value
from workbench.math.logspace import log_sub

_ZERO = 1e-11
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Separated:
    """Constraints low @ x + beta > 0 on x ~ N(0, I).

    Attributes:
        low: `(r, n)`; the first n rows lower triangular with a positive diagonal.
        beta: `(r,)`.
        tilt: `(n,)`.
    """

    low: Tensor
    beta: Tensor
    tilt: Tensor

    @property
    def rank(self) -> int:
        return self.low.shape[1]


def standardised(normals: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor] | None:
    """Constraints with unit normals, those that repeat another left out; None where none can hold.

    A constraint without a normal holds always, and is left out, or never.
    """
    size = normals.norm(dim=1)
    flat = size <= _ZERO * size.max().clamp(min=_TINY)
    if bool((flat & (offsets <= 0)).any()):
        return None
    a, b = normals[~flat] / size[~flat, None], offsets[~flat] / size[~flat]
    kept: list[int] = []
    for i in torch.argsort(b).tolist():  # the tightest of parallel ones first
        if all(float((a[i] - a[j]).norm()) > 1e-9 for j in kept):
            kept.append(i)
    return a[kept], b[kept]


def separate(a: Tensor, b: Tensor) -> Separated:
    """Order unit constraints `a` `(r, k)`, `b` `(r,)`, least likely first, and find the tilt."""
    rest = a.clone()
    low = a.new_zeros(len(a), min(a.shape))
    order: list[int] = []
    mean = a.new_zeros(low.shape[1])
    for j in range(low.shape[1]):
        size = rest.norm(dim=1)
        free = [i for i in range(len(a)) if i not in order and float(size[i]) > 1e-7]
        if not free:
            low = low[:, :j]
            mean = mean[:j]
            break
        score = (b + low @ mean) / size.clamp(min=_TINY)
        best = min(free, key=lambda i: float(score[i]))
        order.append(best)
        axis = rest[best] / size[best]
        low[:, j] = rest @ axis
        rest = rest - low[:, j : j + 1] * axis
        # The mean of the coordinate given that the constraint holds.
        mean[j] = hazard_value(score[best])
    order += [i for i in range(len(a)) if i not in order]
    low, b = low[order], b[order]
    low = torch.where(low.abs() > _ZERO, low, 0.0)
    return Separated(low, b, _tilt(low, b))


def log_estimate(s: Separated, u: Tensor) -> Tensor:
    """log of the mean weight of points `u` `(m, n - 1)` of the unit cube; 0-d."""
    n = s.rank
    x = u.new_zeros(len(u), n)
    log_w = u.new_zeros(len(u))
    last = torch.tensor([int(torch.nonzero(row)[-1]) for row in s.low])
    for j in range(n):
        mine = torch.nonzero(last == j).squeeze(1)
        pull = s.low[mine, j]
        # The sign of the coefficient says whether it is a bound from below or above.
        bound = -(s.beta[mine] + x[:, :j] @ s.low[mine, :j].T) / pull
        under = torch.where(pull > 0, bound, -math.inf).amax(1) - s.tilt[j]
        over = torch.where(pull < 0, bound, math.inf).amin(1) - s.tilt[j]
        draw, log_mass = _between(under, over, u[:, j] if j < n - 1 else None)
        if j < n - 1:
            x[:, j] = draw + s.tilt[j]
        log_w = log_w + log_mass + s.tilt[j] * (0.5 * s.tilt[j] - x[:, j])
    return torch.logsumexp(log_w, 0) - math.log(len(u))


def _between(low: Tensor, high: Tensor, u: Tensor | None) -> tuple[Tensor, Tensor]:
    """The u-quantile of N(0, 1) between two bounds, and log of the mass between them."""
    flip = low + high < 0  # the smaller tails, where nothing cancels
    a = torch.where(flip, -high, low)
    b = torch.where(flip, -low, high)
    empty = b <= a
    top, bottom = log_cdf_value(-a), log_cdf_value(-b)
    log_mass = torch.where(empty, -math.inf, log_sub(top, bottom))
    if u is None:
        return torch.zeros_like(low), log_mass
    share = torch.where(flip, 1.0 - u, u).clamp(_TINY, 1.0 - 2.0**-53)
    tail = torch.logaddexp(torch.log1p(-share) + top, torch.log(share) + bottom)
    x = torch.where(empty, 0.0, -log_cdf_inverse(torch.clamp(tail, max=-_TINY)))
    return torch.where(flip, -x, x), log_mass


def _tilt(low: Tensor, beta: Tensor) -> Tensor:
    """Botev's saddle point for the first n constraints; zero where the search for it fails."""
    n = low.shape[1]
    if n < 2:
        return low.new_zeros(n)
    from scipy.optimize import root

    chol, b = low[:n], beta[:n]
    ratio = torch.tril(chol, -1) / torch.diagonal(chol)[:, None]
    at = -b / torch.diagonal(chol)

    def slope(v: np.ndarray) -> np.ndarray:
        both = torch.from_numpy(v).to(low.device)
        x, mu = torch.zeros(n).double(), torch.zeros(n).double()
        x[:-1], mu[:-1] = both[: n - 1], both[n - 1 :]
        steep = hazard_value(-(at - ratio @ x - mu))
        return torch.cat([(ratio.T @ steep - mu)[:-1], (mu - x + steep)[:-1]]).cpu().numpy()

    found = root(slope, np.zeros(2 * (n - 1)))
    if not found.success or not np.isfinite(found.x).all():
        return low.new_zeros(n)
    return torch.cat([torch.from_numpy(found.x[n - 1 :]).to(low), low.new_zeros(1)])
