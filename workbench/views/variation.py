"""The same problem with D stretched or moved: what the sliders do to a distribution."""

from dataclasses import replace

import torch
from torch import Tensor

from workbench.distributions import Box, Distribution, Gaussian, Mixture
from workbench.distributions import Moments as HasMoments
from workbench.errors import Unsupported
from workbench.estimators import Moments
from workbench.problem import Problem
from workbench.rng import Rng


def varied(distribution: Distribution, factor: float, offset: Tensor) -> Distribution:
    """D with its scale multiplied by `factor` and moved by `offset` `(dim,)`.

    Each component of a mixture is stretched about its own mean, a box about its centre.

    Raises:
        Unsupported: for a distribution without a known scale and mean.

    >>> d = Gaussian(torch.zeros(2), torch.ones(2))
    >>> varied(d, 2.0, torch.tensor([1.0, 0.0]))
    Gaussian(mean=tensor([1., 0.]), scale=tensor([2., 2.]))
    """
    match distribution:
        case Gaussian():
            return Gaussian(distribution.mean + offset, distribution.scale * factor)
        case Mixture():
            parts = tuple(
                Gaussian(c.mean + offset, c.scale * factor) for c in distribution.components
            )
            return replace(distribution, components=parts)
        case Box():
            centre = 0.5 * (distribution.low + distribution.high) + offset
            half = 0.5 * factor * (distribution.high - distribution.low)
            return Box(centre - half, centre + half)
        case _:
            raise Unsupported(
                f"moving the distribution {distribution.name!r}",
                "a gaussian, a mixture or a box can be stretched and moved",
            )


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
