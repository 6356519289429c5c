"""What training changed for many images at once: where each of them is nearest to C."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.estimators.pieces import Field, event_of, pieces_of
from workbench.estimators.tangents import log_p_each, paired_nodes
from workbench.html import power
from workbench.math.logspace import LN10, log_sum
from workbench.problem import Problem
from workbench.specs import Polyhedral
from workbench.views import pictures

_LINES, _MOVES, _SHOWN, _SIZE = 4, 6, 12, 58


@dataclass(frozen=True)
class Face:
    """One piece of D before and now.

    Attributes:
        mean: `(d,)`.
        now, before: the likeliest point of C in its noise, `(d,)`.
        log10_p, log10_p_before: P of C under its noise.
    """

    mean: Tensor
    now: Tensor
    before: Tensor
    log10_p: float
    log10_p_before: float


@dataclass(frozen=True)
class Crowd:
    """Pieces of D on which C was likeliest, and log10 P over all of them, before and now."""

    faces: Sequence[Face]
    size: int
    log10_p: float
    log10_p_before: float


@torch.no_grad()
def crowd(now: Problem, before: Problem) -> Crowd:
    """Where two models of one problem, D a mixture and C polyhedral, come nearest to C."""
    after, points = _each(now)
    first, firsts = _each(before)
    d = now.distribution
    assert isinstance(d, Reparameterised)
    means = pieces_of(d).mean
    order = first.argsort(descending=True)[:_SHOWN].tolist()
    faces = [
        Face(means[i], points[i], firsts[i], float(after[i]) / LN10, float(first[i]) / LN10)
        for i in order
    ]
    mean, was = (float(log_sum(e) - math.log(len(e))) / LN10 for e in (after, first))
    return Crowd(faces, len(after), mean, was)


def _each(problem: Problem) -> tuple[Tensor, Tensor]:
    """log P of every piece, `(n,)`, and its likeliest point of C, `(n, d)`."""
    d, c = problem.distribution, problem.spec
    assert isinstance(d, Reparameterised) and isinstance(c, Polyhedral)
    pieces = pieces_of(d)
    event = event_of(c, problem.outputs, pieces.mean)
    nodes = paired_nodes(_LINES, pieces.mean.shape[1], 0, pieces.mean.dtype)
    each, _ = log_p_each(problem.model, pieces, event, nodes, 1, _MOVES)
    found = Field(problem.model, pieces, event).tangents(1, _MOVES)
    z = found.beta * found.unit[:, 0]
    return each, pieces.push(z, torch.arange(len(z)))


def faces(picture: Crowd) -> str:
    """The pieces as images, each with where C was and is the likeliest (HTML)."""
    cells = []
    for face in picture.faces:
        three = "".join(pictures.image(p, _SIZE) for p in (face.mean, face.before, face.now))
        cells.append(
            "<figure style='margin:0;text-align:center'>"
            f"<div style='display:flex;gap:3px;justify-content:center'>{three}</div>"
            f"<figcaption style='font-size:11px'>{power(face.log10_p_before, 1)} → "
            f"<b>{power(face.log10_p, 1)}</b></figcaption></figure>"
        )
    return (
        f"<p class='small'>On average over {picture.size} held-out images the estimate says "
        f"{power(picture.log10_p_before)} before, <b>{power(picture.log10_p)}</b> now. Below, "
        "those on which C was likeliest: the image, the nearest input that fails before training, "
        "and the nearest one now.</p>"
        "<div class='wb-gallery' style='display:grid;gap:12px 14px;"
        f"grid-template-columns:repeat(auto-fill,minmax(190px,1fr))'>{''.join(cells)}</div>"
    )
