"""Gaussians around small islands of C, as thin as scouts there stand.

Where C is a sliver a thousandth of D's width, no Gaussian of D's width or a fifth of it ever meets
it. Scouts that climbed into it by splitting do stand there; their mean and covariance, and those of
a few clusters of them, say where and how thin it is. In directions along which the margin has no
slope at any scout, as behind a narrow first layer, failures have the law of D itself, and scouts
that descend from few ancestors too little spread: there the Gaussians are N(0, I).
"""

from contextlib import suppress

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.estimators import modes, subspace
from workbench.estimators.design_points import margin_and_gradient
from workbench.estimators.proposal import Proposal, of_gaussians
from workbench.problem import Problem

_LEAST_VAR, _ROUNDINGS = 1e-8, 32.0
_CLUSTERS, _A_CLUSTER = 3, 20
_INFLATED = 2.0, 18.0
_ASKED, _FLAT = 64, 1e-6  # scouts whose slopes are seen, and which of them are none
COST = 2 * _ASKED
"""Forward passes that `thin` costs at most."""


def least_var(dtype: torch.dtype) -> float:
    """Of such Gaussians along any direction: what a precision can tell from none beside 1."""
    return max(_LEAST_VAR, _ROUNDINGS * torch.finfo(dtype).eps)


def thin(
    problem: Problem, z: Tensor, plain: float, generator: torch.Generator
) -> tuple[Proposal | None, int]:
    """The mixture of Gaussians around scouts `(n, d)`, and what it cost.

    All scouts together have half the mass, their clusters the rest; each comes twice, twice and 18
    times as wide as its scouts. None where the margin has no slope and noise so many dimensions
    that `subspace` is needed.
    """
    frame, spent = _active(problem, z)
    if frame is None:
        return None, spent
    centres = z.mean(0)[None]
    k = min(_CLUSTERS, len(z) // _A_CLUSTER)
    if k > 1:
        centres = torch.cat([modes.clusters(z, k, generator), centres])
    owner = torch.cdist(z, centres[: max(1, len(centres) - 1)]).argmin(1)
    gap, dim = (z - centres[owner]) @ frame, z.shape[1]
    pool = gap.T @ gap / len(z)
    covs, count = [], []
    for j in range(len(centres) - 1):
        own = gap[owner == j]
        covs.append((own.T @ own + dim * pool) / (len(own) + dim))
        count.append(len(own))
    gap = (z - centres[-1]) @ frame
    covs.append(gap.T @ gap / len(z))
    count.append(len(z))
    wide = torch.cat([torch.stack(covs) * width for width in _INFLATED])
    part = torch.tensor(count, dtype=z.dtype).repeat(len(_INFLATED))
    means = (centres @ frame).repeat(len(_INFLATED), 1)
    found = of_gaussians(means, wide, part / part.sum(), plain, least_var(z.dtype))
    return found.lifted(frame), spent


def _active(problem: Problem, z: Tensor) -> tuple[Tensor | None, int]:
    """Orthonormal columns `(d, r)` of directions along which the margin has a slope at some of the
    first scouts, I where it has none at all, None where that is too large; and the cost."""
    some, dim = z[:_ASKED], z.shape[1]
    spent, slope = 2 * len(some), torch.zeros_like(some)
    with suppress(Unsupported):  # flat, then
        _, slope = margin_and_gradient(problem, some, torch.full((len(some),), -1))
    size = slope.norm(dim=1, keepdim=True)
    if not bool(size.any()):
        return (torch.eye(dim, dtype=z.dtype) if dim <= subspace.WIDE else None), spent
    unit = slope / torch.where(size > 0, size, 1.0)
    _, values, ways = torch.linalg.svd(unit, full_matrices=False)
    return ways[values > _FLAT * values[0]].T, spent
