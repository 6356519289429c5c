"""P over many pieces of D at once: a tangent a piece and clause, and a few lines along it."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions import Reparameterised
from workbench.errors import BadInput, Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.lines import follow
from workbench.estimators.pieces import Event, Field, Pieces, event_of, pieces_of
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import log_sum
from workbench.math.nodes import normal_nodes
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace

_FARTHEST, _SECANTS = 1.0, 3
BLOCK = 16_384
"""Rows that go through M at once, at most."""


def paired_nodes(lines: int, dim: int, net: int, dtype: torch.dtype) -> Tensor:
    """Where lines lie, `(2 ceil(lines / 2), dim)`: w and -w, so that their mean is 0 and what only
    turns the boundary adds nothing to the gradient; zeros `(1, dim)` for no lines."""
    if not lines:
        return torch.zeros(1, dim, dtype=dtype)
    half = normal_nodes((lines + 1) // 2, dim, net, dtype=dtype)
    return torch.cat([half, -half])


def log_p_each(
    model: nn.Module, pieces: Pieces, event: Event, nodes: Tensor,
    rivals: int = 3, steps: int = 2, secants: int = 2,
) -> tuple[Tensor, int]:  # fmt: skip
    """log P[C] under every piece, `(n,)`, with a gradient in M; and the passes through M.

    Args:
        nodes: `(q, d)` standard normal numbers, where the lines lie; zeros `(1, d)` for the
            tangent's half-space alone (FORM).
        rivals, steps: of the search, see `Field.tangents`.
        secants: evaluations of the margin on every line before the last.
    """
    field = Field(model, pieces, event)
    found = field.tangents(rivals, steps)
    lines = field.cross(found, nodes, secants)
    n, r, q = *found.beta.shape, len(nodes)
    z = lines.w + lines.t[:, None] * lines.unit
    moved = follow(lambda at: field.margin(at, lines.who, lines.clause), z, lines.unit)
    if moved is None:
        raise Unsupported(
            f"a margin through {type(model).__name__}, which is flat where lines enter C",
            "tangents are searched along its gradient",
        )
    t = lines.t + moved.move.clamp(-_FARTHEST, _FARTHEST)
    each = log_sum(log_cdf(-t).reshape(n, r, q), dim=-1) - math.log(q)
    return torch.clamp(log_sum(each, dim=-1), max=0.0), found.rows + lines.rows + 3 * len(t)


@dataclass(frozen=True, kw_only=True)
class Averaged(State):
    """log P of the pieces so far, in blocks."""

    each: Tensor
    """`(n,)`, of the pieces done."""
    log_weight: Tensor
    short: bool = False
    """Whether the budget ended before the pieces did."""


@dataclass(frozen=True)
class Tangent(Estimator):
    """P = sum_i w_i P_i over the pieces N(m_i, .) of D, all of them in a few passes of one batch.

    Every piece has a tangent to every near clause of C: the half-space at its design point, found
    by a few moves of Hasofer and Lind's (1974). Across its normal u lie a few lines w + t u, w from
    one Sobol net for all pieces, each of which enters C at t*(w), and

        P_i = sum over clauses of E_w[Phi(-t*(w))].

    What `conditioned` does for one piece with thousands of passes, this does for each of a
    minibatch with dozens: for the mean over many inputs, of training or held out, where the errors
    of single pieces average out. Exact for affine margins and a single clause of one literal.
    Clauses are added up, an upper bound of their union; a clause of several literals is followed
    along one direction.

    Deterministic; the gradient goes through the crossings, dt* = -ds / (ds/dt).

    Args:
        lines: a piece and clause, in pairs w and -w; 0 for the half-space alone (FORM).
        rivals: clauses followed a piece, the nearest ones.
        moves: of the search for the tangent.
        net: which scrambling of the Sobol net.

    >>> import workbench as wb
    >>> round(Tangent()(wb.load("A_d10_1e-12")).log10_p, 6)
    -12.0
    """

    lines: int = 16
    rivals: int = 9
    moves: int = 6
    net: int = 0
    name: ClassVar[str] = "tangent"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.IMPLICIT
    needs: ClassVar[Needs] = Needs((Reparameterised,), (Polyhedral,))
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, rivals=self.rivals, moves=self.moves)
        for key, value in (("lines", self.lines), ("net", self.net)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise BadInput(f"tangent: {key} must be a whole number from 0, got {value!r}")

    def init(self, problem: Problem, rng: Rng) -> Averaged:
        assert isinstance(problem.distribution, Reparameterised)
        pieces = pieces_of(problem.distribution)
        none = torch.zeros(0, dtype=pieces.mean.dtype)
        return Averaged(rng=rng, each=none, log_weight=pieces.log_weight)

    def step(self, problem: Problem, state: Averaged) -> Averaged:
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Reparameterised) and isinstance(c, Polyhedral)
        pieces = pieces_of(d)
        event = event_of(c, problem.outputs, pieces.mean)
        nodes = paired_nodes(self.lines, pieces.mean.shape[1], self.net, pieces.mean.dtype)
        clauses, literals = Field(problem.model, pieces, event).members.shape
        rivals, q = min(self.rivals, clauses), len(nodes)
        cost = 3 * literals * (clauses + rivals * self.moves) + rivals * q * (_SECANTS + 3)
        most = int(min(max(1, BLOCK // (rivals * q)), state.left // cost))
        if most < 1:
            return replace(state, short=True, forwards=state.forwards + int(min(state.left, 1)))
        start = len(state.each)
        who = torch.arange(start, min(start + most, len(pieces.mean)))
        each, rows = log_p_each(
            problem.model, pieces.some(who), event, nodes, rivals, self.moves, _SECANTS
        )
        return replace(
            state, each=torch.cat([state.each, each]), log_weight=pieces.log_weight,
            forwards=state.forwards + rows,
        )  # fmt: skip

    def read(self, state: Averaged) -> Estimate:
        n = len(state.each)
        cost = Cost(forwards=state.forwards)
        if n == 0:  # nothing is known: P is at most 1
            info = {"warning": "The budget does not hold a single piece of D."}
            return Estimate(state.log_weight.new_zeros(()), None, self.kind, cost, info=info)
        weight = state.log_weight[:n]
        log_p = log_sum(weight + state.each) - log_sum(weight)
        info: dict[str, Any] = {"pieces": n}
        if n < len(state.log_weight):
            info["warning"] = (
                f"The budget held {n} of {len(state.log_weight)} pieces of D: this is their mean."
            )
        return Estimate(torch.clamp(log_p, max=0.0), None, self.kind, cost, info=info)

    def finished(self, state: Averaged) -> bool:
        return state.short or len(state.each) >= len(state.log_weight)
