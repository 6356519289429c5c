"""The law of the margin twice over: sampled, and as covariance propagation presumes it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.distributions import Moments as HasMoments
from workbench.distributions import Sampleable
from workbench.errors import WorkbenchError
from workbench.math.gaussian import log_pdf
from workbench.math.law import Law
from workbench.math.nodes import sobol_nodes
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.rng import Rng
from workbench.specs import Halfspaces, Polyhedral

BLOCK = 4096
_CONDITIONED = 256


@torch.no_grad()
def sample(problem: Problem, seed: int, block: int = 0) -> Tensor:
    """`(BLOCK,)` margins of fresh draws; equal seeds give equal base noise at every slider.

    Empty where D cannot be sampled.
    """
    d = problem.distribution
    if not isinstance(d, Sampleable):
        return torch.empty(0)
    generator = Rng(seed).child("histogram", block).generator()
    return problem.margin(d.sample(BLOCK, generator)).double()


@dataclass(frozen=True, eq=False)
class Histogram:
    """Bars of a density: centres `(n,)`, heights `(n,)`, the width of all, and the draws."""

    centres: Tensor
    density: Tensor
    width: float
    draws: int


def histogram(margins: Tensor, bins: int = 60) -> Histogram:
    """Margins as a density. Infinite ones are left out of the bars but counted."""
    finite = margins[torch.isfinite(margins)]
    if finite.numel() == 0:
        return Histogram(torch.empty(0), torch.empty(0), 1.0, len(margins))
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    width = (high - low) / bins
    counts = torch.histc(finite, bins, low, high)
    centres = low + width * (torch.arange(bins, dtype=finite.dtype) + 0.5)
    return Histogram(centres, counts / (len(margins) * width), width, len(margins))


def grid(margins: Tensor, points: int = 121) -> Tensor:
    """Places `(points,)` at which a law of the margin is drawn: all that was seen, and past 0."""
    finite = margins[torch.isfinite(margins)].double()
    low, high = (float(finite.min()), float(finite.max())) if finite.numel() else (-1.0, 1.0)
    reach = 0.08 * max(high - low, abs(low), abs(high))
    return torch.linspace(min(low, 0.0) - reach, max(high, 0.0) + reach, points).double()


@dataclass(frozen=True, eq=False)
class Picture:
    """All that the chart of the margin shows: sampled bars, and the propagated law on a grid."""

    bars: Histogram
    hits: int
    grid: Tensor
    log_density: Tensor | None


def picture(problem: Problem, margins: Tensor) -> Picture:
    """The two laws of the margin, the sampled one from `margins` `(n,)`."""
    places = grid(margins)
    hits = int((margins > 0).sum())
    return Picture(histogram(margins), hits, places, propagated_or_none(problem, places))


def sampling(problem: Problem, seed: int, blocks: int = 16) -> Iterator[dict[str, Any]]:
    """A job for the worker: a new picture each time that the sample has grown fourfold."""
    found: list[Tensor] = []
    due = 1
    for block in range(blocks):
        found.append(sample(problem, seed, block))
        news = {}
        if len(found) in (due, blocks):
            news["picture"], due = picture(problem, torch.cat(found)), 4 * due
        yield news


@torch.no_grad()
def propagated(problem: Problem, t: Tensor) -> Tensor:
    """log density at `t` `(n,)` of the margin when the half-space margins s are jointly Gaussian.

    The margin is max over clauses of min over half-spaces. Its density at t is the sum over i of
    the density of s_i at t times the probability, given s_i = t, that s_i is the one that decides;
    that probability is counted over conditional draws of the others (Matheron's rule), and is
    exactly 1 for a single half-space. The pieces of D are summed.

    Raises:
        Unsupported: where the model, D or C cannot be propagated.
    """
    d, c = problem.distribution, problem.spec
    assert isinstance(d, HasMoments) and isinstance(c, Polyhedral)
    pieces = d.pieces()
    event = c.halfspaces(problem.outputs, pieces[0].mean)
    terms = []
    for piece in pieces:
        law, _ = Covariance().law(problem.graph, piece, event.a, event.b)
        terms.append(piece.log_weight + _log_density(law, event, t.to(law.mean)))
    return torch.logsumexp(torch.stack(terms), dim=0)


def propagated_or_none(problem: Problem, t: Tensor) -> Tensor | None:
    """`propagated`, or None where this problem cannot be propagated."""
    d, c = problem.distribution, problem.spec
    if not (isinstance(d, HasMoments) and isinstance(c, Polyhedral)):
        return None
    try:
        return propagated(problem, t)
    except WorkbenchError:
        return None


def _log_density(law: Law, event: Halfspaces, t: Tensor) -> Tensor:
    rows, std = len(law.mean), law.std
    base = _draws(law) if rows > 1 else law.mean[None]
    terms = []
    for i in range(rows):
        if not float(std[i]) > 0.0:
            continue
        log_density = log_pdf((t - law.mean[i]) / std[i]) - torch.log(std[i])
        if rows > 1:
            slope = law.cov[i] / law.cov[i, i]
            others = base + (t[:, None, None] - base[:, i : i + 1]) * slope
            others[..., i] = t[:, None]
            decides = _margin(event, others) == others[..., i]
            log_density = log_density + torch.log(decides.double().mean(-1))
        terms.append(log_density)
    if not terms:
        return torch.full_like(t, -math.inf)
    return torch.logsumexp(torch.stack(terms), dim=0)


def _draws(law: Law) -> Tensor:
    """`(_CONDITIONED, r)` draws of the jointly Gaussian margins, the same noise every time."""
    values, vectors = torch.linalg.eigh(law.cov)
    u = sobol_nodes(_CONDITIONED, len(law.mean)).to(law.mean.dtype)
    z = torch.special.ndtri(u.clamp(1e-6, 1.0 - 1e-6))
    return law.mean + (z * values.clamp(min=0.0).sqrt()) @ vectors.T


def _margin(event: Halfspaces, s: Tensor) -> Tensor:
    """max over clauses of min over half-spaces of the last axis."""
    return torch.stack([s[..., list(c)].amin(-1) for c in event.clauses], dim=-1).amax(-1)
