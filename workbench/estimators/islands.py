"""Gaussians around small islands of C, as thin as scouts there stand.

Where C is a sliver a thousandth of D's width, no Gaussian of D's width or a fifth of it ever meets
it. Scouts that climbed into it by splitting do stand there; their mean and covariance, and those of
a few clusters of them, say where and how thin it is. In directions along which the margin has no
slope at any scout, as behind a narrow first layer, failures have the law of D itself, and scouts
that descend from few ancestors too little spread: there the Gaussians are N(0, I).
"""

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.estimators import modes
from workbench.estimators.design_points import margin_and_gradient
from workbench.problem import Problem

LEAST_VAR = 1e-8
"""Of such Gaussians along any direction."""
_CLUSTERS, _A_CLUSTER = 3, 20
_INFLATED = 2.0, 18.0
_ASKED, _FLAT = 64, 1e-6  # scouts whose slopes are seen, and which of them are none
COST = 2 * _ASKED
"""Forward passes that `gaussians` costs at most."""


def gaussians(
    problem: Problem, z: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Means `(k, d)`, covariances `(k, d, d)` and parts `(k,)` around scouts `(n, d)`; the cost.

    All scouts together have half the mass, their clusters the rest; each comes twice, twice and 18
    times as wide as its scouts.
    """
    centres = z.mean(0)[None]
    k = min(_CLUSTERS, len(z) // _A_CLUSTER)
    if k > 1:
        centres = torch.cat([modes.clusters(z, k, generator), centres])
    owner = torch.cdist(z, centres[: max(1, len(centres) - 1)]).argmin(1)
    gap = z - centres[owner]
    pool = gap.T @ gap / len(z)
    covs, count = [], []
    for j in range(len(centres) - 1):
        own = gap[owner == j]
        covs.append((own.T @ own + z.shape[1] * pool) / (len(own) + z.shape[1]))
        count.append(len(own))
    gap = z - centres[-1]
    covs.append(gap.T @ gap / len(z))
    count.append(len(z))
    active, spent = _active(problem, z)
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    around = active @ torch.stack(covs) @ active
    wide = torch.cat([around * width + (eye - active) for width in _INFLATED])
    part = torch.tensor(count, dtype=z.dtype).repeat(len(_INFLATED))
    return (centres @ active).repeat(len(_INFLATED), 1), wide, part / part.sum(), spent


def _active(problem: Problem, z: Tensor) -> tuple[Tensor, int]:
    """The projector `(d, d)` on directions along which the margin has a slope at some of the first
    scouts, I where it has none at all; and the cost."""
    some = z[:_ASKED]
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    try:
        _, slope = margin_and_gradient(problem, some, torch.full((len(some),), -1))
    except Unsupported:
        return eye, 2 * len(some)
    size = slope.norm(dim=1, keepdim=True)
    if not bool(size.any()):
        return eye, 2 * len(some)
    _, values, ways = torch.linalg.svd(slope / torch.where(size > 0, size, 1.0))
    ways = ways[: int((values > _FLAT * values[0]).sum())]
    return ways.T @ ways, 2 * len(some)
