"""Respect for proofs: where C is proved impossible, or certain, every estimator answers so.

Interval arithmetic bounds the margins over the support of D; where D is bounded and that does not
decide, linear bounds do. On an unbounded support little is ever proved (a constant margin, a
bounded activation, a sign), and the attempt costs about two forward passes.
"""

import hashlib
import math

import torch
from torch import Tensor

from workbench.distributions import BoxSupport, Distribution, Factor, Factored
from workbench.errors import Unsupported
from workbench.math.region import Region
from workbench.problem import Problem
from workbench.propagation.intervals import Interval, Move, head, intervals, moves
from workbench.propagation.linear_bounds import Frame, bound
from workbench.specs import Halfspaces, Polyhedral

COST = 2
"""Forward-equivalents of a proof by intervals."""


def proof(problem: Problem) -> float | None:
    """log P where it is proved: -inf (C never holds), 0 (C always holds); None where it is not.

    >>> import workbench as wb
    >>> box = wb.Box(torch.zeros(2).double(), torch.ones(2).double())
    >>> M = torch.nn.Linear(2, 1, bias=False).double()
    >>> _ = torch.nn.init.ones_(M.weight)
    >>> never = wb.Problem(box, M, wb.Halfspace(torch.ones(1).double(), -2.1))
    >>> proof(never), proof(never.vary(spec=never.spec.shift(-3.0)))
    (-inf, 0.0)
    """
    d, c = problem.distribution, problem.spec
    if not (isinstance(c, Polyhedral) and problem.readable):
        return None
    try:
        event = c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))
        found = {_proof(problem, frame, event) for frame in _supports(d)}
    except Unsupported:
        return None
    return found.pop() if len(found) == 1 else None


def _supports(d: Distribution) -> list[Frame | None]:
    """Where x may lie: images of the unit box, or None for all of space."""
    if isinstance(d, Factored):
        return [None if f.normal else frame_of(f) for f in d.factors()]
    if isinstance(d, BoxSupport):
        low, high = (x.detach().double() for x in d.bounds())
        return [Frame(low, torch.diag(high - low))]
    return [None]


@torch.no_grad()
def _proof(problem: Problem, frame: Frame | None, event: Halfspaces) -> float | None:
    """Remembered: every estimator of a comparison asks for it."""
    support = [] if frame is None else [frame.offset, frame.matrix]
    key = _digest([*_tensors(problem), *support, event.a, event.b])
    kept: dict[bytes, float | None] = problem.__dict__.setdefault("_proofs", {})
    if key not in kept:
        d = problem.distribution
        path = moves(problem.graph, d.dim, d.dtype)
        kept.clear()
        kept[key] = _decided(path, frame, event, d.dim)
    return kept[key]


def _decided(path: list[Move], frame: Frame | None, event: Halfspaces, dim: int) -> float | None:
    if frame is None:
        low = torch.full((1, dim), -math.inf, dtype=torch.float64)
        return _decide(_by_intervals(path, event, low, -low), event)
    box = Region.box(*(torch.full_like(frame.offset, end)[None] for end in (0.0, 1.0)))
    reach = (frame.offset + f(frame.matrix[None]) for f in (box.least, box.most))
    known = _decide(_by_intervals(path, event, *reach), event)
    if known is None:
        sharp = bound(path, frame, box, event.a, event.b)
        known = _decide((sharp.least, sharp.most), event)
    return known


def frame_of(factor: Factor) -> Frame:
    """A factor of D in float64, its matrix written out."""
    matrix = factor.matrix.detach().double()
    matrix = torch.diag(matrix) if matrix.ndim == 1 else matrix
    return Frame(factor.offset.detach().double(), matrix)


def _by_intervals(path: list[Move], event: Halfspaces, low: Tensor, high: Tensor) -> Interval:
    return head(len(path), event.a, event.b)(intervals(path, low, high)[-1])


def _decide(margins: Interval, event: Halfspaces) -> float | None:
    never, always = margins[1][0] <= 0, margins[0][0] > 0
    clauses = [list(c) for c in event.clauses]
    if all(bool(never[c].any()) for c in clauses):
        return -math.inf
    return 0.0 if any(bool(always[c].all()) for c in clauses) else None


def _tensors(problem: Problem) -> list[Tensor]:
    return [*problem.model.parameters(), *problem.model.buffers()]


def _digest(tensors: list[Tensor]) -> bytes:
    """Of all bits: a network in training changes under its problem."""
    total = hashlib.blake2b(digest_size=16)
    for t in tensors:
        total.update(t.detach().cpu().contiguous().numpy().data)
    return total.digest()
