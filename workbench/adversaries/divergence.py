"""Relative entropy KL(D || D0): what D spends to differ from D0, in nats."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import (
    Box,
    ByContext,
    Density,
    Discrete,
    Distribution,
    Gaussian,
    Mixture,
    Reparameterised,
    ShortText,
    Tokens,
)
from workbench.distributions.transformed import Transformed
from workbench.errors import Unsupported
from workbench.math import simplex
from workbench.math.transitions import occupancy
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

    In closed form where there is one; of laws by context by the chain rule, the context being seen.
    Else the mean over `draws` draws x = G(z) of D, whose noise is the same for the same `rng`, so
    that the answer is a smooth function of D's parameters.

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
    if isinstance(d, ByContext) and isinstance(d0, Mixture):
        return _by_context(d, d0, rng, draws)
    if isinstance(d, Mixture) and isinstance(d0, Density):
        return _of_mixture(d, d0, rng, draws)
    if isinstance(d, Transformed) and d.base is d0:
        z = _pairs(d, draws, rng)
        e, log_det = d.bend(z)
        return _mean(0.5 * (e.square() - z.square()).sum(1) - log_det)
    if isinstance(d, Reparameterised) and isinstance(d, Density) and isinstance(d0, Density):
        x = d.push(_pairs(d, draws, rng))
        return _mean(d.log_prob(x) - d0.log_prob(x))
    raise Unsupported(
        f"the relative entropy of a {d.name} to a {d0.name}", "two densities are needed"
    )


def _pairs(d: Reparameterised, draws: int, rng: Rng) -> Tensor:
    """Noise z and -z: what is odd in z cancels."""
    z = d.noise(max(1, draws // 2), rng.child("kl").generator())
    return torch.cat([z, -z])


def _mean(gap: Tensor) -> Nats:
    """The mean over pairs, and its standard error."""
    n = len(gap) // 2
    pairs = 0.5 * (gap[:n] + gap[n:])
    return Nats(pairs.mean(), float(pairs.detach().std()) / n**0.5)


def _of_mixture(d: Mixture, d0: Density, rng: Rng, draws: int) -> Nats:
    """sum_k w_k E_k[log D - log D0], as many draws from every part: the weights have gradients."""
    total, variance = d.log_weights.new_zeros(()), 0.0
    for k, (log_w, part) in enumerate(zip(d.log_weights, d.components, strict=True)):
        x = part.push(_pairs(part, draws, rng.child(k)))
        own = _mean(d.log_prob(x) - d0.log_prob(x))
        total = total + torch.exp(log_w) * own.value
        variance += (float(torch.exp(log_w.detach())) * own.err) ** 2
    return Nats(total, variance**0.5)


def _by_context(d: ByContext, d0: Mixture, rng: Rng, draws: int) -> Nats:
    """sum_c v_c (log v_c / w_c + KL(D_c || D0_c)) for (c, x)."""
    if len(d.parts) != len(d0.components):
        raise Unsupported(
            f"the relative entropy of {len(d.parts)} contexts to {len(d0.components)}",
            "as many contexts are needed",
        )
    total, variance = d.log_weights.new_zeros(()), 0.0
    pairs = zip(d.log_weights, d0.log_weights, d.parts, d0.components, strict=True)
    for k, (log_v, log_w, part, part0) in enumerate(pairs):
        own = relative_entropy(part, part0, rng.child("context", k), draws)
        total = total + torch.exp(log_v) * (log_v - log_w + own.value)
        variance += (float(torch.exp(log_v.detach())) * own.err) ** 2
    return Nats(total, variance**0.5)


def _gaussians(d: Gaussian, d0: Gaussian) -> Tensor:
    """(tr S + |m|^2 - dim - log det S) / 2, with D = N(m, S) in the noise of D0."""
    m = d0.pull(d.mean[None])[0]
    if d.diagonal and d0.diagonal:
        s = d.scale / d0.scale
        return 0.5 * (s.square() + m.square() - 1.0).sum() - torch.log(s).sum()
    scale, scale0 = (torch.diag(g.scale) if g.diagonal else g.scale for g in (d, d0))
    s = torch.linalg.solve_triangular(scale0, scale, upper=False)
    return 0.5 * (s.square().sum() + m.square().sum() - d.dim) - torch.log(s.diagonal()).sum()


def _boxes(d: Box, d0: Box) -> Tensor:
    """log of the ratio of volumes; inf where D reaches beyond D0."""
    inside = (d.low >= d0.low).all() & (d.high <= d0.high).all()
    gap = (torch.log(d0.high - d0.low) - torch.log(d.high - d.low)).sum()
    return torch.where(inside, gap, torch.inf)


def _products(d: Discrete, d0: Discrete) -> Tensor:
    """sum of p log(p / p0); inf where D0 excludes what D does not."""
    if d.values.shape != d0.values.shape or not torch.equal(d.values, d0.values):
        raise Unsupported("the relative entropy of two discrete laws", "equal values are needed")
    p, p0 = (x.probs / x.probs.sum(1, keepdim=True) for x in (d, d0))
    if bool(((p > 0) & (p0 == 0)).any()):
        return p.new_tensor(torch.inf)
    alive = p > 0
    ratio = torch.where(alive, p, 1.0) / torch.where(alive, p0, 1.0)
    return (p * torch.log(ratio)).sum()


def _tokens(d: Tokens, d0: Tokens) -> Tensor:
    """sum of p log(p / p0) over positions; inf where D0 excludes what D does not."""
    if d.probs.shape != d0.probs.shape:
        raise Unsupported("the relative entropy of two laws of tokens", "equal sizes are needed")
    return simplex.divergence(d.log_probs(), d0.log_probs())


def _texts(d: ShortText, d0: ShortText) -> Tensor:
    """Sum over contexts of how often D draws in each, times KL of the next symbol's two laws."""
    if (d.length, d.start, d.alphabet, d.memory) != (d0.length, d0.start, d0.alphabet, d0.memory):
        raise Unsupported(
            "the relative entropy of two laws of text", "equal lengths and prompts are needed"
        )
    often = occupancy(d.log_probs, d.start, d.length)
    return (often[:, None] * d.log_probs.exp() * (d.log_probs - d0.log_probs)).sum()


_EXACT: dict[tuple[type, type], Callable[..., Tensor]] = {
    (Gaussian, Gaussian): _gaussians, (Box, Box): _boxes, (Discrete, Discrete): _products,
    (Tokens, Tokens): _tokens, (ShortText, ShortText): _texts,
}  # fmt: skip
