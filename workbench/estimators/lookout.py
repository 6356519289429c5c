"""What lines leave out: parts of C that lie before the crossings of every line through them.

Lines along a direction count what lies beyond their first crossing. Of a part of C on the other
side of the mean of D they say nothing, however they differ among themselves. So starts in opposite
pairs, spread evenly over the sphere on which a half-space of a fiftieth of P begins, climb the
margin there; where one ends in C, the lines through that point tell whether it is counted: its
shares (see `lines.log_share`) of those that cross before it. A point of which less than half is
counted leads to a direction of its own.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.distributions import Reparameterised
from workbench.errors import Unsupported
from workbench.estimators import design_points, drawn, lines
from workbench.estimators.drawn import Lines
from workbench.math.divisor import divisor
from workbench.math.gaussian import log_cdf_inverse, log_cdf_value
from workbench.math.logspace import LN10, log_sum
from workbench.math.nodes import normal_nodes
from workbench.problem import Problem

_FAINT = 0.02  # of P: what begins beyond that is not looked for
NEAREST = 0.5  # radius below which C is too likely to lie hidden
_TURNS = (0.9, 0.7, 0.5, 0.3, 0.2)  # radians
_PRICE = 2 * len(_TURNS) + 1  # forward passes a start
_EFFORT, _FEWEST, _MOST = 0.1, 8, 16  # share of the search, and starts
_COUNTED, _SLIGHT, _CLOSE = 0.5, 0.05, 0.05
_HALVINGS = 4
_APART = 1.5  # nats: a half-space so much likelier than C tells nothing of C
_EVEN = 1e-6  # nats
_NEAR = 0.95  # cosine to a direction above which its lines are not asked
_BESIDE = 0.5  # cosine to a direction below which a point lies to its side
_SAME = 0.8  # cosine of two directions that are one
_REACH = 12.0


CLIMB = _PRICE + _HALVINGS
"""Forward passes that a start costs at most."""
BUDGET, FLAT = "budget", "gradient"
"""Why starts did not look: the budget held none of them, or no gradient leads them."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """Directions to parts of C that the lines so far do not count, the nearest first.

    Args:
        theta: `(m, d)`, where a ray from the mean of D enters each.
        clause: `(m,)`.
        piece: `(m,)`: of D.
        starts: that looked.
        forwards: what it cost.
        unlooked: `BUDGET` or `FLAT` where a piece of D was not looked at; else empty.
    """

    theta: Tensor
    clause: Tensor
    piece: Tensor
    starts: int = 0
    forwards: int = 0
    unlooked: str = ""


def look(pieces: list[tuple[Tensor, Problem]], state: Lines, room: int, net: int) -> Lines:
    """The state with directions to what its lines leave out, `room` at most, and without a line.

    As it was but for `looked` where nothing was found or there is no room; `log_hidden` tells what
    half-spaces as far away as what was left there would have of P.

    Args:
        net: which scrambling of the Sobol net the starts come from.
    """
    found = hidden(pieces, state, net)
    state = replace(
        state, looks=state.looks + 1, starts=state.starts + found.starts,
        looking=state.looking + found.forwards, forwards=state.forwards + found.forwards,
        unlooked=found.unlooked,
    )  # fmt: skip
    norm = found.theta.norm(dim=1)
    log_weight = [pieces[p][0] for p in found.piece.tolist()]
    mass = [float(log_cdf_value(-n) + w.detach()) for n, w in zip(norm, log_weight, strict=True)]
    if room <= 0 or not mass:
        left = float(log_sum(norm.new_tensor([-math.inf, *mass])))
        return replace(state, looked=True, log_hidden=left)
    new = sorted(range(len(mass)), key=lambda i: -mass[i])[:room]
    theta, d = found.theta[new], found.theta.shape[1]
    root = theta.new_zeros(len(new), state.root.shape[1], d, d)
    root.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    state = drawn.joined(
        state, theta, found.clause[new], found.piece[new],
        torch.stack([log_weight[i] for i in new]), torch.cat([state.root, root]),
    )  # fmt: skip
    tried = torch.cat([state.tried, theta / norm[new, None]])
    return replace(drawn.afresh(state), tried=tried)


def lost(state: Lines) -> float:
    """Digits that what was found and got no lines may add to P, roughly."""
    _, total = drawn.log_parts(state, state.log_weight.detach())
    if not bool(torch.isfinite(total)):
        return 0.0
    return float(torch.logaddexp(total.new_tensor(state.log_hidden), total) - total) / LN10


def doubt(state: Lines) -> str:
    """Why parts of C may have been left out without a sign, in one sentence; else empty."""
    if state.unlooked == FLAT:
        return (
            "the margin has no gradient to look along for parts of C that the lines leave out: the "
            "answer may be too low"
        )
    if state.unlooked == BUDGET:
        return (
            "the budget held no look for parts of C that the lines leave out: the answer may be "
            "too low"
        )
    return ""


@torch.no_grad()
def hidden(pieces: list[tuple[Tensor, Problem]], state: Lines, net: int) -> Hidden:
    """What lies hidden from the lines of a state whose pilot has been drawn."""
    _, total = drawn.log_parts(state, state.log_weight.detach())
    found, left = [_nothing(state)], state.left
    for i in state.piece.unique().tolist() if bool(torch.isfinite(total)) else []:
        found.append(_in_piece(pieces, state, i, total, net, left))
        left -= found[-1].forwards
    return Hidden(
        *(torch.cat([getattr(h, k) for h in found]) for k in ("theta", "clause", "piece")),
        starts=sum(h.starts for h in found),
        forwards=sum(h.forwards for h in found),
        unlooked=max(h.unlooked for h in found),
    )


def _nothing(state: Lines, starts: int = 0, forwards: int = 0, unlooked: str = "") -> Hidden:
    """Nothing was found."""
    none = (state.theta[:0], state.clause[:0], state.piece[:0])
    return Hidden(*none, starts, forwards, unlooked)


def _in_piece(
    pieces: list[tuple[Tensor, Problem]], state: Lines, i: int, total: Tensor, net: int, left: float
) -> Hidden:
    """The same of piece i of D, within `left` forward passes; `total` is log P so far."""
    log_weight, problem = pieces[i]
    radius = radius_of(float(total - log_weight.detach()))
    pairs = int(_EFFORT * (state.forwards - state.probing) / (2 * _PRICE * len(pieces)))
    pairs = max(_FEWEST // (2 * len(pieces)), min(_MOST // 2, pairs), 1)
    if radius < NEAREST:
        return _nothing(state)
    if left < 4 * pairs * (_PRICE + lines.MOST):
        return _nothing(state, unlooked=BUDGET)
    starts = 2 * pairs
    try:
        u, t, spent = met(problem, pairs, radius, net)
    except Unsupported:
        return _nothing(state, forwards=2 * starts, unlooked=FLAT)
    if not len(u):
        return _nothing(state, starts, spent)
    uncounted, cost = _uncounted(problem, state, i, total - log_weight.detach(), radius, u, t)
    spent += cost
    at = apart(t[uncounted, None] * u[uncounted])
    if not len(at):
        return _nothing(state, starts, spent)
    clause = design_points.clause_margins(problem, at).argmax(1)
    return Hidden(at, clause, torch.full_like(clause, i), starts, spent + len(at))


def radius_of(log_p: float) -> float:
    """Of the sphere on which a half-space of a fiftieth of P begins."""
    faint = torch.tensor(math.log(_FAINT) + log_p, dtype=torch.float64).clamp(max=-1e-9)
    return float(-log_cdf_inverse(faint))


def met(
    problem: Problem, pairs: int, radius: float, net: int, by_clause: bool = False
) -> tuple[Tensor, Tensor, int]:
    """Unit vectors `(n, d)` whose rays end in C at a radius, where they enter it, and the cost.

    They are the ends of climbs from so many opposite pairs; raises as `climbed`.

    Args:
        by_clause: whether the starts head for one clause of C each, in turn: that whose margin is
            the highest near the mean of D need not be the likeliest.
    """
    d = problem.distribution
    assert isinstance(d, Reparameterised)
    u = normal_nodes(pairs, d.noise_dim, net, dtype=d.dtype)
    u = u / u.norm(dim=1, keepdim=True)
    clause = torch.full((2 * pairs,), -1)
    if by_clause:
        clause = torch.arange(2 * pairs) % design_points.clause_count(problem)
    u, s = climbed(problem, torch.cat([u, -u]), radius, clause)
    u = u[s > 0]
    return u, _entry(problem, u, radius), 2 * pairs * _PRICE + _HALVINGS * len(u)


def _uncounted(
    problem: Problem, state: Lines, i: int, log_p: Tensor, radius: float, u: Tensor, t: Tensor
) -> tuple[Tensor, int]:
    """Which rays lead to parts of C that matter and are not counted, and what it cost to see.

    Args:
        i: the piece of D.
        log_p: 0-d, log P on it so far.
        u: unit vectors `(n, d)` whose rays end in C at the radius.
        t: `(n,)`, where the rays enter it.
    """
    own = torch.nonzero(state.piece == i).squeeze(1).tolist()
    mass = log_cdf_value(-t) - log_p
    alone = float(mass.max()) < _APART
    # Where half-spaces say too much of P they do so of all its parts, or about that.
    some = torch.nonzero(mass > math.log(_FAINT) + mass.max().clamp(min=0.0) - _EVEN).squeeze(1)
    part, cost = counted(problem, state, own, log_p if alone else None, radius * u[some])
    new = (part < _COUNTED) & (state.tried @ u[some].T < _SAME).all(0)
    return some[new], cost


def apart(at: Tensor) -> Tensor:
    """The nearest of points `(n, d)`, no two in one direction, the nearest first."""
    length = at.norm(dim=1)
    unit = at / length[:, None]
    kept: list[int] = []
    for j in torch.argsort(length).tolist():
        if all(float(unit[j] @ unit[m]) < _SAME for m in kept):
            kept.append(j)
    return at[kept]


def _entry(problem: Problem, unit: Tensor, radius: float) -> Tensor:
    """Where rays that end in C at a radius enter it, to a share of that, `(n,)`."""
    low, high = torch.zeros_like(unit[:, 0]), torch.full_like(unit[:, 0], radius)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        inside = problem.margin_of_noise(middle[:, None] * unit) > 0
        low, high = torch.where(inside, low, middle), torch.where(inside, middle, high)
    return high


def climbed(problem: Problem, unit: Tensor, radius: float, clause: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors `(n, d)` turned towards the margin's gradient on a sphere, and the margins of C.

    Args:
        clause: `(n,)`: whose margin each climbs, -1 for that of C.

    Raises:
        Unsupported: where the margin has no gradient, or 0 at every point.
    """
    for most in _TURNS:
        _, slope = design_points.margin_and_gradient(problem, radius * unit, clause)
        if not bool(slope.any()):
            raise Unsupported(
                f"the margin of {problem.name!r}, which is flat", "climbs need slopes"
            )
        along = (slope * unit).sum(1, keepdim=True)
        across = slope - along * unit
        steep = across.norm(dim=1, keepdim=True)
        angle = torch.atan2(steep, along).clamp(max=most)
        unit = torch.cos(angle) * unit + torch.sin(angle) * across / divisor(steep)
        unit = unit / unit.norm(dim=1, keepdim=True)
    return unit, problem.margin_of_noise(radius * unit)


def counted(
    problem: Problem, state: Lines, own: list[int], log_p: Tensor | None, z: Tensor
) -> tuple[Tensor, int]:
    """The share of points z of C that lines count, `(n,)`, and what it cost to see.

    Given log P on this piece of D, a line to the side of a direction does not count that would have
    a larger share of P alone than all lines that were drawn: few of them meet its like.

    Args:
        own: the summits of the piece.
        log_p: 0-d, or None where lines to the side count as well.
    """
    law = problem.distribution
    assert isinstance(law, Reparameterised)
    units = state.theta[own] / state.theta[own].norm(dim=1, keepdim=True)
    index, part, spent = state.index[own], z.new_zeros(len(z)), 0
    for k, i in enumerate(own):
        share = torch.exp(lines.log_share(z, units, index, k))
        t, length = z @ units[k], z.norm(dim=1)
        t = t.abs() if state.whole else t  # a whole line counts both of its sides
        near = t > _NEAR * length
        part[near] += share[near]
        some = ~near & (share > _SLIGHT)
        if not bool(some.any()):
            continue
        t, length = t[some], length[some]
        across = z[some] - (z[some] @ units[k])[:, None] * units[k]
        first, sees = t, torch.ones_like(t, dtype=torch.bool)
        if not state.whole:
            start = drawn.start_of(state, i)
            hit = lines.crossings(
                problem.margin_of_noise, across, units[k], t.new_full((len(t),), start),
                float(state.slope[i]), (-_REACH, start + _REACH), bent=law.stretched,
            )  # fmt: skip
            first, sees, spent = hit.t, hit.t <= t + _CLOSE, spent + hit.evaluations
        if log_p is not None:
            alone = log_cdf_value(-first) + drawn.aim_of(state, i).log_weight(across) - log_p
            drawn_already = math.log(max(1, int((state.owner == i).sum())))
            sees &= (t >= _BESIDE * length) | (alone < drawn_already)
        part[some] += torch.where(sees, share[some], 0.0)
    return part, spent
