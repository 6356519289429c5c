"""Gaussians around the modes of the tilted law phi(z) exp(lambda s(z)), from gradients.

Given failure, noise has a law close to the tilt of N(0, I) by its margin s. The Gaussian N(m, C)
nearest to it (in the Kullback-Leibler divergence from the Gaussian) solves

    m = lambda E[grad s],   C^-1 = I - lambda E[hess s]

with E over the Gaussian itself (Bonnet 1964, Price 1958; Opper & Archambeau 2009), and lambda is
where E[s] = 1 / lambda, the mean excess of an exponential law. E[hess s] is the slope of the
gradient's regression on z: a ReLU network has one although its own Hessian vanishes almost
everywhere. A gradient at each of a few hundred draws fits all d^2 / 2 entries, where chains would
need thousands of independent draws from the far tail.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

ALONE, ROUNDS = 3, 10
"""Rounds that each Gaussian is fitted by itself, and rounds in all."""
_RIDGE, _KEEP, _DAMPING = 0.5, 0.5, 0.5
_MOST_VAR, _LEAST_VAR = 5.0, 0.05
_TRUST, _STEEPER = 1.5, 1.5
_SAME, _MOST_MODES, _LONG, _SPLIT_VAR = 1.5, 8, 1.5, 0.4
_ALONG = 0.35
_BISECTIONS = 50

Look = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Margins `(n,)` and gradients `(n, d)` of a clause each at points `(n, d)`."""


@dataclass(frozen=True, eq=False)
class Tilted:
    """One Gaussian a start, `(k, d)` means and `(k, d, d)` covariances, as far as the fit came."""

    means: Tensor
    covs: Tensor
    slopes: Tensor
    """`(k, d, d)`, the running mean of E[hess s]."""
    tilt: Tensor
    """`(k,)`: lambda."""
    clause: Tensor
    """`(k,)`: which clause's margin tilts, -1 for the margin of C."""

    def chosen(self, which: list[int]) -> "Tilted":
        """Those Gaussians, as often as they are named."""
        return Tilted(*(getattr(self, f.name)[which] for f in fields(self)))


def start(means: Tensor, clause: Tensor) -> Tilted:
    """Unit Gaussians at the given points."""
    k, d = means.shape
    eye = torch.eye(d, dtype=means.dtype).expand(k, d, d)
    return Tilted(means, eye, torch.zeros_like(eye), torch.ones_like(means[:, 0]), clause)


def advance(
    look: Look, fit: Tilted, k: int, n: int, generator: torch.Generator
) -> tuple[Tilted, int]:
    """Round k of `ROUNDS` from `n` gradients a Gaussian; the forward passes that it cost.

    The first rounds fit each Gaussian by itself. Those that have come together are then merged,
    long ones are split, and the rest fits their mixture: every Gaussian's target is divided by the
    share of the others in the mixture, so that they spread over a curved or many-moded law. A round
    in which slopes are beyond what the precision holds changes nothing.
    """
    modes, d = fit.means.shape
    noise = torch.randn(modes, n, d, generator=generator, dtype=fit.means.dtype)
    y = noise @ torch.linalg.cholesky(fit.covs).transpose(1, 2)
    z = fit.means[:, None] + y
    clause = fit.clause.repeat_interleave(n)
    s, g = look(z.reshape(-1, d), clause)
    s, g = s.reshape(modes, n), g.reshape(modes, n, d)
    try:
        found = slope(y, g, fit.covs)
        new = replace(fit, slopes=found if k == 0 else _KEEP * fit.slopes + (1.0 - _KEEP) * found)
        new = _alone(new, s.mean(1), g.mean(1)) if k < ALONE else _together(new, y, z, s, g)
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        new = fit
    if k + 1 == ALONE:
        new = _split(_merged(new))
    return new, 2 * modes * n


def slope(y: Tensor, g: Tensor, covs: Tensor) -> Tensor:
    """Symmetric slope of the regression of g on y, both `(k, n, d)`, with a ridge of covs / n."""
    n, d = y.shape[1:]
    y = y - y.mean(1, keepdim=True)
    g = g - g.mean(1, keepdim=True)
    square = y.transpose(1, 2) @ y / n + _RIDGE * d / n * covs
    found = torch.linalg.solve(square, y.transpose(1, 2) @ g / n)
    return 0.5 * (found + found.transpose(1, 2))


def narrowed(fit: Tilted) -> Tensor:
    """Covariances with the variance along each mean cut: failures end at the boundary."""
    u = fit.means / fit.means.norm(dim=1, keepdim=True).clamp(min=1e-12)
    cu = torch.einsum("kij,kj->ki", fit.covs, u)
    scale = (1.0 - _ALONG) / torch.einsum("ki,ki->k", u, cu)
    return fit.covs - scale[:, None, None] * cu[:, :, None] * cu[:, None, :]


def _alone(fit: Tilted, s: Tensor, g: Tensor) -> Tilted:
    """The tilt of the quadratic with value s, gradient g and slope at each mean."""
    means, covs, slopes = fit.means, fit.covs, fit.slopes
    values, vectors = torch.linalg.eigh(slopes)
    turned = vectors.transpose(1, 2)
    m = (turned @ means[:, :, None]).squeeze(2)
    g = (turned @ g[:, :, None]).squeeze(2)
    spread = torch.einsum("kij,kij->k", slopes, covs)

    def at(tilt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        var = 1.0 / (1.0 - tilt[:, None] * values).clamp(1.0 / _MOST_VAR, 1.0 / _LEAST_VAR)
        move = var * tilt[:, None] * (g - values * m) - m
        excess = s + (g * move + 0.5 * values * (move.square() + var)).sum(1) - 0.5 * spread
        return move, var, excess

    low, high = torch.full_like(s, 1e-4), torch.full_like(s, 1e4)
    for _ in range(_BISECTIONS):
        tilt = torch.sqrt(low * high)
        enough = at(tilt)[2] > 1.0 / tilt
        low, high = torch.where(enough, low, tilt), torch.where(enough, tilt, high)
    tilt = torch.sqrt(low * high)
    move, var, _ = at(tilt)
    move = move * torch.clamp(_TRUST / move.norm(dim=1, keepdim=True).clamp(min=1e-12), max=1.0)
    covs = (vectors * var[:, None, :]) @ turned
    means = means + (vectors @ move[:, :, None]).squeeze(2)
    return replace(fit, means=means, covs=covs, tilt=tilt)


def _together(fit: Tilted, y: Tensor, z: Tensor, s: Tensor, g: Tensor) -> Tilted:
    """A damped natural-gradient step of the mixture with equal shares."""
    precision = torch.linalg.inv(fit.covs)
    push = _repulsion(fit.means, precision, z)
    square = g.square().sum(2).mean(1).clamp(min=torch.finfo(s.dtype).tiny)
    gap = s.mean(1) - square * fit.tilt
    tilt = (torch.sqrt(gap.square() + 4.0 * square) - gap) / (2.0 * square)
    tilt = torch.minimum(torch.maximum(tilt, fit.tilt / _STEEPER), fit.tilt * _STEEPER)
    eye = torch.eye(z.shape[2], dtype=z.dtype)
    wanted = eye - tilt[:, None, None] * fit.slopes - slope(y, push, fit.covs)
    values, vectors = torch.linalg.eigh((1.0 - _DAMPING) * precision + _DAMPING * wanted)
    var = 1.0 / values.clamp(1.0 / _MOST_VAR, 1.0 / _LEAST_VAR)
    covs = (vectors * var[:, None, :]) @ vectors.transpose(1, 2)
    force = (tilt[:, None, None] * g - z + push).mean(1)
    move = _DAMPING * torch.einsum("kij,kj->ki", covs, force)
    length = torch.sqrt((move * force).sum(1, keepdim=True).clamp(min=1e-24) * _DAMPING)
    means = fit.means + move * torch.clamp(_TRUST / length, max=1.0)
    return replace(fit, means=means, covs=covs, tilt=tilt)


def _repulsion(means: Tensor, precision: Tensor, z: Tensor) -> Tensor:
    """grad log(q_k / q) at the draws z `(k, n, d)` of each q_k; 0 where no other overlaps."""
    gaps = z[:, :, None] - means
    pulls = torch.einsum("knjd,jde->knje", gaps, precision)
    logs = 0.5 * (torch.logdet(precision) - (gaps * pulls).sum(3))
    mixed = torch.einsum("knj,knjd->knd", torch.softmax(logs, dim=2), pulls)
    own = torch.arange(len(means))
    return mixed - pulls[own, :, own]


def _merged(fit: Tilted) -> Tilted:
    """Without Gaussians that have come together: nearer than `_SAME` in their own metric."""
    kept: list[int] = []
    precision = torch.linalg.inv(fit.covs)
    for i in range(len(fit.means)):
        gaps = [fit.means[i] - fit.means[j] for j in kept]
        near = [
            float(gap @ (precision[i] + precision[j]) @ gap) < 2.0 * _SAME**2
            for gap, j in zip(gaps, kept, strict=True)
        ]
        if not any(near):
            kept.append(i)
    return fit.chosen(kept)


def _split(fit: Tilted) -> Tilted:
    """The longest Gaussians as two side by side, up to `_MOST_MODES` of them."""
    values, vectors = torch.linalg.eigh(fit.covs)
    long = values[:, -1]
    room = max(0, _MOST_MODES - len(long))
    order = torch.argsort(long, descending=True)[:room].tolist()
    twice = [k for k in order if float(long[k]) > _LONG]
    axis = torch.zeros_like(fit.means)
    axis[twice] = vectors[twice, :, -1] * torch.sqrt(long[twice])[:, None]
    covs = fit.covs - (1.0 - _SPLIT_VAR) * axis[:, :, None] * axis[:, None, :]
    both = list(range(len(long))) + twice
    side = torch.cat([axis, -axis[twice]])
    fit = replace(fit, covs=covs).chosen(both)
    return replace(fit, means=fit.means + side)
