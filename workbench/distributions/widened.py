"""A normal law with one more coordinate."""

from dataclasses import replace

import torch

from workbench.distributions.base import Distribution
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.errors import Unsupported


def widened(base: Distribution) -> Distribution:
    """The law of (x, z), x as `base` has it and z ~ N(0, 1) independent of x.

    Raises:
        Unsupported: unless the base is a Gaussian or a mixture of Gaussians.

    >>> widened(Gaussian(torch.ones(1), torch.ones(1)))
    Gaussian(mean=tensor([1., 0.]), scale=tensor([1., 1.]))
    """
    match base:
        case Gaussian(mean=mean, scale=scale):
            one = scale.new_ones(1)
            wide = torch.cat([scale, one]) if base.diagonal else torch.block_diag(scale, one)
            return Gaussian(torch.cat([mean, 0.0 * one]), wide)
        case Mixture(components=components):
            parts = tuple(widened(c) for c in components)
            return replace(base, components=parts)
    raise Unsupported(
        f"one more coordinate beside the distribution {base.name!r}",
        "a gaussian or a mixture of gaussians is needed",
    )
