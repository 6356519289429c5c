"""Where the sliders move a distribution to: directions, and how wide D is along them."""

import torch
from torch import Tensor

from workbench.distributions import (
    Distribution,
    IndependentTokens,
    StudentT,
    Tokens,
    base_of,
    varied,
)  # fmt: skip
from workbench.distributions import Moments as HasMoments
from workbench.errors import Unsupported
from workbench.estimators import Moments
from workbench.estimators.soft_tokens import margin_and_gradient
from workbench.math import simplex
from workbench.problem import Problem
from workbench.rng import Rng

NATS = 8.0
"""KL from D of the tilted laws that the slope of a tilt is averaged over."""
_ROUNDS, _DRAWS, _KEPT = 6, 64, 0.8


def std_along(distribution: Distribution, direction: Tensor) -> float:
    """Standard deviation of D, or of its base, along a unit vector `(dim,)`, over all pieces."""
    base = base_of(distribution)
    base = base.gaussian if isinstance(base, StudentT) else base  # it may have no variance itself
    if not isinstance(base, HasMoments):
        return 1.0
    pieces = base.pieces()
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
    """Unit vector of steepest ascent of log P in the mean of D, or of its base, by `Moments`;
    `(dim,)`.

    Raises:
        Unsupported: where `Moments` cannot serve, or log P does not change with the mean.
    """
    d = base_of(problem.distribution)
    Moments().check(problem.vary(d))
    offset = torch.zeros(d.dim, dtype=d.dtype, requires_grad=True)
    with torch.enable_grad():
        moved = problem.vary(varied(d, 1.0, offset))
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


def token_slope(problem: Problem, seed: int) -> Tensor:
    """The slope `(T, V)` along which a law of tokens is tilted towards C.

    A running mean of the margin's gradient in the one-hots, over draws of the law that the slope so
    far tilts by `NATS` (the adaptation of Wu & Hilton, arXiv 2410.13211, section 3.1): at draws of
    D itself the gradient tells little of where C lies.

    Raises:
        Unsupported: where M takes no soft tokens.
    """
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    log_p = d.log_probs().detach().double()
    generator = Rng(seed).child("slope").generator()
    law, slope = log_p, torch.zeros_like(log_p)
    for _ in range(_ROUNDS):
        x = simplex.draw(law.exp(), _DRAWS, generator)
        slope = _KEPT * slope + margin_and_gradient(problem, x)[1].double().mean(0)
        law = simplex.tilted_by(log_p, slope, NATS)
    return slope


def random_slope(tokens: Tokens, seed: int) -> Tensor:
    """A standard normal slope `(T, V)` that the seed determines."""
    generator = Rng(seed).child("direction").generator()
    return torch.randn(tokens.dim, tokens.alphabet, generator=generator, dtype=torch.float64)
