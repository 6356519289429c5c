"""The same distribution stretched or moved."""

from dataclasses import replace

import torch
from torch import Tensor

from workbench.distributions.base import Distribution
from workbench.distributions.box import Box
from workbench.distributions.discrete import Discrete
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.gibbs import Gibbs
from workbench.distributions.mixture import Mixture
from workbench.distributions.recognised import Conditional
from workbench.distributions.spin_glass import SpinGlass
from workbench.distributions.spins import Spins
from workbench.distributions.student_t import StudentT
from workbench.distributions.tokens import Tokens
from workbench.errors import Unsupported
from workbench.math.simplex import tilted_by


def varied(distribution: Distribution, factor: float, offset: Tensor) -> Distribution:
    """D with its scale multiplied by `factor` and moved by `offset` `(dim,)`.

    Each component of a mixture is stretched about its own mean, a box about its centre, the values
    of a discrete law about their means; of a law that is known by a base and what weighs it the
    base, under the same recogniser or energy. Spins take `factor` as their temperature, and have no
    mean to move.

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
        case StudentT():
            mean, scale = distribution.mean + offset, distribution.scale * factor
            return replace(distribution, mean=mean, scale=scale)
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
        case Conditional() | Gibbs():
            return replace(distribution, base=varied(distribution.base, factor, offset))
        case SpinGlass() if not bool(offset.any()):
            return replace(distribution, beta=distribution.beta / factor)
        case Spins() if bool(offset.any()):
            raise Unsupported("moving the mean of spins", "they are -1 or 1 wherever D goes")
        case _:
            raise Unsupported(
                f"stretching or moving the distribution {distribution.name!r}",
                "a gaussian, a mixture, a student_t, a box or a discrete law can be; of spins with "
                "couplings the temperature",
            )


def base_of(distribution: Distribution) -> Distribution:
    """The base of a law that is known by one and what weighs it; any other as it is."""
    return distribution.base if isinstance(distribution, Conditional | Gibbs) else distribution


def tempered(law: Tokens, temperature: float, slope: Tensor, lean: float) -> Tokens:
    """Tokens at another temperature, p^(1/temperature) normalised, then tilted along `slope`.

    The tilt spends lean^2 / 2 nats, what moving a Gaussian by `lean` standard deviations costs;
    against the slope where `lean` is negative.

    Args:
        law: of independent positions.
        temperature: above 0; above 1 the law is flatter.
        slope: `(T, V)`, such as the mean gradient of a margin in the one-hots.
        lean: any sign.

    >>> import torch
    >>> law = Tokens(torch.tensor([[0.8, 0.2]]))
    >>> tempered(law, 0.5, torch.zeros(1, 2), 0.0).probs
    tensor([[0.9412, 0.0588]])
    """
    log_p = torch.log_softmax(law.log_probs() / temperature, 1)
    tilted = tilted_by(log_p, slope if lean > 0.0 else -slope, 0.5 * lean * lean)
    return Tokens((tilted if lean else log_p).exp())
