"""Adversaries of many points at once: the mean of every piece of D0 moved by so many nats."""

import math
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from workbench.distributions import Gaussian, Mixture
from workbench.errors import Unsupported
from workbench.estimators.pieces import Field, Pieces, event_of, pieces_of
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral

_MOVES = 12
_ELITE, _SMOOTH = 0.1, 0.7


def along_tangents(problem: Problem, nats: float) -> Problem:
    """The same problem, every piece i moved by sqrt(2 nats) u_i in its noise, u_i towards the
    nearest point of C: KL(D_i || D0_i) = nats, spent where log P_i rises the fastest.

    Raises:
        Unsupported: where D is no mixture or C is not polyhedral.
    """
    pieces, field = _field(problem)
    unit = field.tangents(1, _MOVES).unit[:, 0]
    return _moved(problem, pieces, math.sqrt(2.0 * nats) * unit)


@torch.no_grad()
def by_cross_entropy(
    problem: Problem, nats: float, rng: Rng, draws: int = 200, steps: int = 6
) -> Problem:
    """The same problem, the shift of every piece by the cross-entropy method, for all at once.

    Within |shift|^2 / 2 <= nats (`by_elites`); all nats are spent in the direction found.

    Args:
        draws: a piece and step.

    Raises:
        Unsupported: as `along_tangents`.
    """
    pieces, _ = _field(problem)
    radius = math.sqrt(2.0 * nats)
    shift = by_elites(problem, pieces, rng, draws, steps, radius)
    return _moved(problem, pieces, shift * radius / shift.norm(dim=1, keepdim=True).clamp(1e-12))


@torch.no_grad()
def by_elites(
    problem: Problem, pieces: Pieces, rng: Rng, draws: int, steps: int, radius: float = math.inf
) -> Tensor:
    """A shift of the mean of every piece, `(n, d)` in its noise, by the cross-entropy method.

    Each shift follows the mean of the tenth of its draws with the highest margin, or of those that
    fail where more do (Rubinstein & Kroese 2004). No gradient of M is taken.

    Args:
        draws: a piece and step.
        radius: of a shift, at most.
    """
    n, d = pieces.mean.shape
    shift = torch.zeros_like(pieces.mean)
    who = torch.arange(n).repeat_interleave(draws)
    for k in range(steps):
        generator = rng.child("cross entropy", k).generator()
        z = torch.randn(n, draws, d, generator=generator, dtype=shift.dtype) + shift[:, None]
        s = problem.margin(pieces.push(z.reshape(-1, d), who)).reshape(n, draws)
        level = torch.quantile(s, 1.0 - _ELITE, dim=1).clamp(max=0.0)
        elite = (s >= level[:, None]).to(z.dtype)
        mean = torch.einsum("nm,nmd->nd", elite, z) / elite.sum(1, keepdim=True)
        shift = (1.0 - _SMOOTH) * shift + _SMOOTH * mean
        shift = shift * (radius / shift.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1.0)
    return shift


def _field(problem: Problem) -> tuple[Pieces, Field]:
    if not isinstance(problem.distribution, Mixture):
        raise Unsupported(f"shifts within a {problem.distribution.name}", "a mixture is needed")
    if not isinstance(problem.spec, Polyhedral):
        raise Unsupported(f"the spec {problem.spec.name!r}", "a polyhedral spec is needed")
    pieces = pieces_of(problem.distribution)
    event = event_of(problem.spec, problem.outputs, pieces.mean)
    return pieces, Field(problem.model, pieces, event)


def _moved(problem: Problem, pieces: Pieces, shift: Tensor) -> Problem:
    d = cast(Mixture, problem.distribution)
    means = pieces.push(shift, torch.arange(len(shift)))
    parts = tuple(Gaussian(m.clone(), c.scale) for m, c in zip(means, d.components, strict=True))
    return problem.vary(distribution=replace(d, components=parts))
