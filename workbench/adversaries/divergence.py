"""Relative entropy KL(D || D0): what D spends to differ from D0, in nats."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Density, Distribution, Gaussian, Reparameterised
from workbench.errors import Unsupported
from workbench.rng import Rng

_DRAWS = 512


@dataclass(frozen=True, eq=False)
class Nats:
    """A relative entropy.

    Args:
        value: 0-d, in nats; carries the graph of D's parameters.
        err: its standard error; 0 where it is exact.
    """

    value: Tensor
    err: float = 0.0


def relative_entropy(d: Distribution, d0: Distribution, rng: Rng, draws: int = _DRAWS) -> Nats:
    """KL(D || D0) = E_D[log D(x) - log D0(x)], in nats.

    In closed form where there is one. Else the mean over `draws` draws x = G(z) of D, whose noise
    is the same for the same `rng`, so that the answer is a smooth function of D's parameters.

    Raises:
        Unsupported: where neither is to be had.

    >>> import torch
    >>> one = torch.ones(3)
    >>> relative_entropy(Gaussian(2 * one, one), Gaussian(0 * one, one), Rng(0)).value
    tensor(6.)
    """
    exact = _EXACT.get((type(d), type(d0)))
    if exact is not None:
        return Nats(exact(d, d0))
    if isinstance(d, Reparameterised) and isinstance(d, Density) and isinstance(d0, Density):
        x = d.sample(draws, rng.child("kl").generator())
        gap = d.log_prob(x) - d0.log_prob(x)
        return Nats(gap.mean(), float(gap.detach().std()) / draws**0.5)
    raise Unsupported(
        f"the relative entropy of a {d.name} to a {d0.name}", "two densities are needed"
    )


def _gaussians(d: Gaussian, d0: Gaussian) -> Tensor:
    """(tr S + |m|^2 - dim - log det S) / 2, with D = N(m, S) in the noise of D0."""
    m = d0.pull(d.mean[None])[0]
    if d.diagonal and d0.diagonal:
        s = d.scale / d0.scale
        return 0.5 * (s.square() + m.square() - 1.0).sum() - torch.log(s).sum()
    scale, scale0 = (torch.diag(g.scale) if g.diagonal else g.scale for g in (d, d0))
    s = torch.linalg.solve_triangular(scale0, scale, upper=False)
    return 0.5 * (s.square().sum() + m.square().sum() - d.dim) - torch.log(s.diagonal()).sum()


_EXACT: dict[tuple[type, type], Callable[..., Tensor]] = {(Gaussian, Gaussian): _gaussians}
