"""Propagation of slices: the law of total probability over one to three directions, by nodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Gaussian, Mixture, Reparameterised
from workbench.distributions import Moments as HasMoments
from workbench.errors import BadInput, NotConverged
from workbench.estimators import limits, radial, slicing, summits
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.by_part import pieces_of
from workbench.estimators.moments import Moments
from workbench.estimators.slicing import SCAN, Slicing
from workbench.iteration import State
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import LN10, log_sum
from workbench.math.orthant import log_union
from workbench.problem import Problem, before_softmax
from workbench.propagation import Augmented, Covariance
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.tails import Gaussian as GaussianTail
from workbench.tails import Saddlepoint
from workbench.types import Grad, Kind, Pace

_SUMMITS = 6
_FEW, _ACROSS = 8, 3.5  # nodes a direction of the comparison, and how far a new one reaches
_FACTOR = 3.0  # usual error over what one direction more changes
_THIRD = 8  # propagations that one of third cumulants costs at most
_LOOKS, _BEYOND = 13, 4.0  # points from 0 to this far beyond a summit
ALONG = ("directions", "radius")
MOST = 3
"""Directions at most."""


@dataclass(frozen=True, kw_only=True)
class Sliced(State):
    """The parts of P so far, one a summit."""

    log_p: Tensor
    """0-d: with no direction at all; carries the graph."""
    shared: Tensor
    """0-d: log of what rivals share, counted once over counted twice; carries the graph."""
    parts: Tensor
    """`(m,)`: log P of every summit's slices; carries the graph."""
    others: Tensor
    """`(m,)`: the same parts with a direction more, or less where there is none left; inf where the
    budget held none."""
    skewed: Tensor
    """`(m,)`: the same parts as third cumulants of the likeliest slice would move them; inf where
    the budget held none."""
    theta: Tensor
    """`(k, d)`: the summits, piece after piece of D."""
    clause: Tensor
    piece: Tensor
    used: tuple[int, ...] = ()
    """Directions of every part."""
    flops: float = 0.0
    begun: bool = False
    searched: bool = False
    misled: bool = False
    """Whether M never enters C on the way towards, and beyond, where propagation has failures."""
    rough: str = ""
    """Why propagation through M is rough, in words."""
    done: bool = False


@dataclass(frozen=True)
class Slices(Estimator):
    """P = sum of weights x P(C | slice), every slice of D propagated by itself.

    D is a mixture of narrow Gaussians along one to three directions u (see `slicing`), so that
    only the law across them is presumed. The first direction is that of a summit: where the mean of
    D has to go for C to become likely. A further one is where failures spread the least as D does.
    Every rival class has its own summit and slices, and their sums are added, less what rivals
    share by propagation alone. With 0 directions
    this is covariance propagation alone; with more and more of them it tends to integration, at a
    price that grows as nodes^directions. Along "radius" the slices are spheres: for networks that
    are homogeneous (bias-free ReLU nets) under a D around 0, whose radius then scales the margin.

    How far to trust it is told by what one direction more would change, three times that, and by
    what third cumulants would, at the likeliest slice, and by half of what rivals share
    (`info["indicator_digits"]`, their sum).
    Deterministic. The gradient holds directions and nodes still, on which the
    exact integral does not depend.

    Slices overlap. Truncated pieces, their moments matched, were measured in their place: cut at
    the threshold of the most important neuron they were off by 0.6 digits (median of 15 random
    networks), cut into 17 along u by 0.3, and by 0.3 on the digits, where as many slices are off by
    0.2 and by 0.003.

    Args:
        directions: 0 to 3.
        nodes: slices a direction.
        width: standard deviation that a slice keeps along the directions, where D has 1.
        along: "directions" or "radius".

    >>> import workbench as wb
    >>> round(Slices()(wb.load("A_d10_1e-12")).log10_p, 4)
    -12.0
    """

    directions: int = 1
    nodes: int = 16
    width: float = 0.3
    along: str = "directions"
    name: ClassVar[str] = "slices"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.IMPLICIT
    needs: ClassVar[Needs] = Needs(
        (HasMoments, Reparameterised),
        (Polyhedral,),
        readable=True,
        covariances=True,
        law=(Gaussian, Mixture),
    )
    pace: ClassVar[Pace] = Pace.AT_REST
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"along": ALONG}

    def __post_init__(self) -> None:
        for name, least, most in (("directions", 0, MOST), ("nodes", 4, 64)):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not least <= value <= most:
                raise BadInput(f"slices: {name} must be {least} to {most}, got {value!r}")
        if not isinstance(self.width, int | float) or not 0.05 <= self.width <= 0.95:
            raise BadInput(f"slices: width must be 0.05 to 0.95, got {self.width!r}")
        if self.along not in ALONG:
            raise BadInput(f"unknown along {self.along!r}: use one of {', '.join(ALONG)}")

    def init(self, problem: Problem, rng: Rng) -> Sliced:
        d = problem.distribution
        zero, index = torch.zeros((), dtype=d.dtype), torch.zeros(0, dtype=torch.long)
        none = zero.reshape(1)[:0]
        points = none.reshape(0, d.dim)
        return Sliced(
            rng=rng, log_p=zero, shared=zero, parts=none, others=none, skewed=none, theta=points,
            clause=index, piece=index,
        )  # fmt: skip

    def step(self, problem: Problem, state: Sliced) -> Sliced:
        if not state.begun:
            return self._begin(problem, state)
        pieces = pieces_of(problem)
        if not state.searched:
            return self._search(pieces, state)
        new = self._slice(pieces, state, len(state.used))
        return replace(new, done=new.done or len(new.used) == len(new.theta))

    def _begin(self, problem: Problem, state: Sliced) -> Sliced:
        """No direction at all."""
        shared = state.shared
        if self.along == "radius":
            log_p, flops = radial.log_p(problem)
        else:
            moments = Moments()
            whole = moments.step(problem, moments.init(problem, state.rng))
            log_p, flops = whole.log_p, whole.flops
            shared, spent = _shared(problem)
            flops += spent
        cost = forward_equivalents(flops, problem.flops_per_forward)
        return replace(
            state, log_p=log_p, shared=shared, flops=flops, begun=True,
            rough=limits.few_normalised(problem),
            done=self.along == "radius" or self.directions == 0,
            forwards=state.forwards + (cost if cost <= state.left else 0),
        )  # fmt: skip

    @torch.no_grad()
    def _search(self, pieces: list[tuple[Tensor, Problem]], state: Sliced) -> Sliced:
        theta, clause, piece = [state.theta], [state.clause], [state.piece]
        for i, (_, problem) in enumerate(pieces):
            found = summits.find(problem, _SUMMITS, state.left)
            state = replace(state, forwards=state.forwards + found.forwards)
            if len(found.theta) == 0:  # a piece that is left out would be silently missed
                return replace(state, done=True)
            entered, spent = _entered(problem, found.theta, state.left)
            state = replace(
                state, misled=state.misled or not entered, forwards=state.forwards + spent
            )
            theta.append(found.theta)
            clause.append(found.clause)
            piece.append(torch.full_like(found.clause, i))
        return replace(
            state, theta=torch.cat(theta), clause=torch.cat(clause), piece=torch.cat(piece),
            searched=True,
        )  # fmt: skip

    def _slice(self, pieces: list[tuple[Tensor, Problem]], state: Sliced, k: int) -> Sliced:
        """The slices of summit k, in as many directions as its share of the budget holds."""
        log_weight, problem = pieces[int(state.piece[k])]
        land = summits.Landscape(problem)
        price, share = land.propagation(state.theta[k]), state.left / (len(state.theta) - k)
        count = self._affordable(share, price, land.distribution.dim)
        if not count:  # a part that is left out would be silently missed
            none = state.parts[:0]
            return replace(state, parts=none, others=none, skewed=none, used=(), done=True)
        mates = torch.nonzero(state.piece == state.piece[k]).squeeze(1)
        own = int((mates == k).nonzero())
        theta, clause = state.theta[k], int(state.clause[k])
        with torch.no_grad():
            shared = slicing.shared_out(land, state.theta[mates], state.clause[mates])
        part = other = skewed = state.log_p.new_tensor(-math.inf)
        if bool(shared[own].any()):  # else what it leads to stands higher at another summit
            unit = theta / theta.norm()
            cut = Slicing(land.problem, unit[None], self.width, state.theta[mates], own, shared)
            nodes, log_cell, cut = self._nodes(land, cut, theta, clause, count)
            values, flops = cut.values(nodes)
            land.spend(flops)
            part = log_weight + log_sum(values) + log_cell
            other = skewed = part.new_tensor(math.inf)
            entered = bool(torch.isfinite(values).any())  # never, where a clause excludes itself
            if entered and price * _THIRD < share - land.forwards:
                skewed = part.detach() + self._skew(land, cut, nodes, values.detach())
            search = price * (slicing.SEARCH + _FEW ** min(MOST, count + 1))
            if entered and search < share - land.forwards:
                other = log_weight.detach() + self._other(land, cut, nodes, values.detach(), clause)
        return replace(
            state,
            parts=torch.cat([state.parts, part[None]]),
            others=torch.cat([state.others, other[None]]),
            skewed=torch.cat([state.skewed, skewed[None]]),
            used=(*state.used, count),
            forwards=state.forwards + land.forwards,
        )

    def _affordable(self, forwards: float, price: int, d: int) -> int:
        """How many directions so many forward-equivalents hold, at most those asked for."""
        for count in range(min(self.directions, d), 0, -1):
            search = (count - 1) * (slicing.SEARCH * price + summits.SPREAD_COST * d)
            looks = (count - 1) * SCAN + slicing.COARSE[count] ** count
            if search + price * (2 + looks + self.nodes**count) <= forwards:
                return count
        return 0

    @torch.no_grad()
    def _nodes(
        self, land: summits.Landscape, cut: Slicing, theta: Tensor, clause: int, count: int
    ) -> tuple[Tensor, float, Slicing]:
        """The nodes `(nodes^count, count)`, the log of the weight of each, and their slicing.

        Trapezoidal sums over what lies within pi nodes / 2 nats of the highest: for a Gaussian
        integrand what is cut off and what aliases are then of one size, e^(-pi nodes / 2).
        """
        at = theta.norm()[None]
        for _ in range(count - 1):
            mean, flops = slicing.scan(cut, at)
            land.spend(flops)
            at = torch.cat([at[:-1], at.new_tensor([mean, 0.0])])
            way = slicing.next_direction(land, cut.basis, self.width, at[:-1] @ cut.basis, clause)
            cut = replace(cut, basis=torch.cat([cut.basis, way[None]]))
        ranges, flops = slicing.reach(cut, at, 0.5 * math.pi * self.nodes)
        land.spend(flops)
        nodes = slicing.grid(ranges, self.nodes, theta.dtype)
        return nodes, slicing.log_cell(ranges, self.nodes), cut

    @torch.no_grad()
    def _other(
        self, land: summits.Landscape, cut: Slicing, nodes: Tensor, values: Tensor, clause: int
    ) -> Tensor:
        """log of the sum with one direction more, of few nodes, or with one less."""
        near = nodes[values >= values.max() - 0.5 * math.pi * _FEW]
        ranges = [(float(t.min()), float(t.max())) for t in near.T]
        if len(ranges) < min(MOST, land.distribution.dim):
            at = torch.softmax(values, 0).to(nodes.dtype) @ nodes
            way = slicing.next_direction(land, cut.basis, self.width, at @ cut.basis, clause)
            cut = replace(cut, basis=torch.cat([cut.basis, way[None]]))
            ranges.append((-_ACROSS, _ACROSS))
        else:
            cut, ranges = replace(cut, basis=cut.basis[:-1]), ranges[:-1]
        found, flops = cut.values(slicing.grid(ranges, _FEW, nodes.dtype))
        land.spend(flops)
        return log_sum(found) + slicing.log_cell(ranges, _FEW)

    @torch.no_grad()
    def _skew(self, land: summits.Landscape, cut: Slicing, nodes: Tensor, values: Tensor) -> Tensor:
        """What third cumulants add to log P(C | slice) at the likeliest of the nodes; inf where
        they leave no law."""
        k = int(values.argmax())
        third = replace(cut, propagator=Augmented(), tail=Saddlepoint())
        try:
            found, flops = third.values(nodes[k : k + 1])
        except NotConverged:
            return values.new_tensor(math.inf)
        land.spend(flops)
        return torch.nan_to_num(found[0] - values[k], nan=math.inf)

    def finished(self, state: Sliced) -> bool:
        return state.done

    def read(self, state: Sliced) -> Estimate:
        cost = Cost(forwards=state.forwards, flops=0.0 if state.forwards else state.flops)
        if not any(state.used):
            info: dict[str, Any] = {"directions": 0}
            if self.directions and self.along == "directions":
                info["warning"] = "the budget held no slices: this is propagation alone"
            return Estimate(state.log_p, None, self.kind, cost, info=info)
        total = log_sum(state.parts)
        share = torch.exp(state.parts - total).detach().nan_to_num()
        told, skew = (
            abs(float(log_sum(x) - total.detach())) / LN10 for x in (state.others, state.skewed)
        )
        indicator = _FACTOR * told + skew + 0.5 * abs(float(state.shared.detach())) / LN10
        total = total + state.shared
        info = {
            "directions": max(state.used),
            "indicator_digits": indicator if math.isfinite(indicator) else None,
            "summits": [
                {"norm": float(theta.norm()), "part": float(p), "directions": q}
                for theta, p, q in zip(state.theta, share, state.used, strict=False)
            ],
        }
        if state.misled:
            info["indicator_digits"] = None
            info["warning"] = (
                "the network never enters C in the directions that propagation points to: it was "
                "misled, and the answer is probably far too high"
            )
        elif min(q for q in state.used if q) < min(self.directions, state.theta.shape[1]):
            info["warning"] = "the budget held fewer directions than were asked for"
        elif not math.isfinite(indicator):
            info["warning"] = (
                "third cumulants leave no law of the margin in the likeliest slice, so that it "
                "cannot be told how far off the answer may be"
            )
        elif state.rough:
            info["warning"] = state.rough
        return Estimate(torch.clamp(total, max=0.0), None, self.kind, cost, info=info)


def _shared(problem: Problem) -> tuple[Tensor, float]:
    """log P of any rival less log of the sum of all, by propagation alone; and its operations.

    0 where a clause is more than one half-space, or D more than one Gaussian.
    """
    problem = before_softmax(problem)
    d, c = problem.distribution, problem.spec
    none = torch.zeros((), dtype=d.dtype)
    if not isinstance(d, Gaussian) or not isinstance(c, Polyhedral):
        return none, 0.0
    event = c.halfspaces(problem.outputs, d.mean)
    if len(event.clauses) < 2 or any(len(rows) != 1 for rows in event.clauses):
        return none, 0.0
    law, flops = Covariance().law(problem.graph, d.pieces()[0], event.a, event.b)
    beta = GaussianTail().index(law)
    total = log_sum(log_cdf(beta[[rows[0] for rows in event.clauses]]))
    once = log_union(beta, law.corr, event.clauses)
    return torch.where(torch.isfinite(total), once - total, none), flops


def _entered(problem: Problem, theta: Tensor, left: float) -> tuple[bool, int]:
    """Whether C is met along the directions of summits `(k, d)`; and the forward passes it took.

    True, and free, where the budget does not hold the look.
    """
    share = torch.linspace(0.0, 1.0, _LOOKS, dtype=theta.dtype)[1:, None, None]
    norm = theta.norm(dim=1, keepdim=True)
    z = (share * theta * ((norm + _BEYOND) / norm.clamp(min=1e-12))).reshape(-1, theta.shape[1])
    if len(z) > left:
        return True, 0
    return bool((problem.margin_of_noise(z) > 0).any()), len(z)
