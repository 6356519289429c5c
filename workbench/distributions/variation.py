"""The same distribution stretched or moved."""

from dataclasses import replace

from torch import Tensor

from workbench.distributions.base import Distribution
from workbench.distributions.box import Box
from workbench.distributions.discrete import Discrete
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.distributions.recognised import Conditional
from workbench.errors import Unsupported


def varied(distribution: Distribution, factor: float, offset: Tensor) -> Distribution:
    """D with its scale multiplied by `factor` and moved by `offset` `(dim,)`.

    Each component of a mixture is stretched about its own mean, a box about its centre, the values
    of a discrete law about their means; of a conditioned law the base, under the same recogniser.

    Raises:
        Unsupported: for a distribution without a known scale and mean.

    >>> import torch
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
        case Discrete():
            centre = distribution.pieces()[0].mean
            about = distribution.values - centre[:, None]
            return replace(distribution, values=(centre + offset)[:, None] + factor * about)
        case Conditional():
            return replace(distribution, base=varied(distribution.base, factor, offset))
        case _:
            raise Unsupported(
                f"moving the distribution {distribution.name!r}",
                "a gaussian, a mixture, a box or a discrete law can be stretched and moved",
            )
