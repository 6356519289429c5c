"""Where the sliders move a distribution to: directions, and how wide D is along them."""

import torch
from torch import Tensor

from workbench.distributions import Distribution, varied
from workbench.distributions import Moments as HasMoments
from workbench.errors import Unsupported
from workbench.estimators import Moments
from workbench.problem import Problem
from workbench.rng import Rng


def std_along(distribution: Distribution, direction: Tensor) -> float:
    """Standard deviation of D along a unit vector `(dim,)`, over all pieces of D."""
    if not isinstance(distribution, HasMoments):
        return 1.0
    pieces = distribution.pieces()
    weight = torch.softmax(torch.stack([p.log_weight for p in pieces]).detach(), 0)
    means = torch.stack([(p.mean * direction).sum() for p in pieces])
    within = torch.stack(
        [
            (p.cov * direction.square()).sum() if p.cov.ndim == 1 else direction @ p.cov @ direction
            for p in pieces
        ]
    )
    centre = (weight * means).sum()
    return float((weight * (within + (means - centre).square())).sum().sqrt())


def steepest(problem: Problem) -> Tensor:
    """Unit vector of steepest ascent of log P in the mean of D, by `Moments`; `(dim,)`.

    Raises:
        Unsupported: where `Moments` cannot serve, or log P does not change with the mean.
    """
    Moments().check(problem)
    offset = torch.zeros(
        problem.distribution.dim, dtype=problem.distribution.dtype, requires_grad=True
    )
    with torch.enable_grad():
        moved = problem.vary(varied(problem.distribution, 1.0, offset))
        log_p = Moments()(moved).log_p
        gradient = torch.zeros_like(offset)
        if log_p.requires_grad and bool(torch.isfinite(log_p)):
            (gradient,) = torch.autograd.grad(log_p, offset, materialize_grads=True)
    norm = gradient.norm()
    if not (bool(torch.isfinite(norm)) and float(norm) > 0.0):
        raise Unsupported(
            "the direction of steepest ascent",
            "log P by covariance propagation does not change with the mean here; "
            "choose the random direction",
        )
    return gradient / norm


def random_direction(dim: int, dtype: torch.dtype, seed: int) -> Tensor:
    """A unit vector, uniform on the sphere, that the seed determines; `(dim,)`."""
    draw = torch.randn(dim, generator=Rng(seed).child("direction").generator(), dtype=dtype)
    return draw / draw.norm()
