"""Sound bounds on P from the weights, by branch and bound over cells of the input space."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import Factored, Gaussian
from workbench.errors import BadInput
from workbench.estimators import design_points
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.cells import EASY, Cells, Verdict, basis, judge, live
from workbench.estimators.proofs import frame_of
from workbench.iteration import State
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.gaussian import log_cdf_value
from workbench.math.logspace import LN10, log_sum
from workbench.problem import Problem, before_softmax
from workbench.propagation.intervals import moves
from workbench.propagation.linear_bounds import Frame, flops
from workbench.rng import Rng
from workbench.specs import Halfspaces, Polyhedral
from workbench.types import Grad, Kind

BASES = ("neurons", "direction")

_FINE = -27.6  # log of the mass that may be neglected where no failure was found: 1e-12
_SHARE = 0.01  # of the first guess at P that may be cut off with the tails
_CUTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200)
_CUTTING = 0.2  # of the budget, for the choice of how much is cut off
_CLOSE = 1e-6  # nats between the two bounds at which all is known


@dataclass(frozen=True, kw_only=True)
class Partition(State):
    """The cells so far: corners, factor of D, bounds on log P(C, cell), the next cut of each."""

    low: Tensor
    high: Tensor
    factor: Tensor
    log_lower: Tensor
    log_upper: Tensor
    axis: Tensor
    bases: Tensor
    """`(factors, d, d)`: the cells of a factor are boxes in these coordinates."""
    log_fine: Tensor
    """`(m,)`: log of the mass that each cell may lose with its tails; halved with every cut."""
    least: float = -math.inf
    most: float = 0.0
    """The best bounds on log P so far."""
    done: bool = False


@dataclass(frozen=True)
class _Bounds(Estimator):
    """What `Lower` and `Upper` share."""

    basis: str = "neurons"
    batch: int = 16
    descent: int = 0
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Factored,), (Polyhedral,), readable=True, matrices=True)
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"basis": BASES}

    def __post_init__(self) -> None:
        check_positive(self.name, batch=self.batch)
        if self.basis not in BASES:
            raise BadInput(f"unknown basis {self.basis!r}: use one of {', '.join(BASES)}")
        if not isinstance(self.descent, int) or self.descent < 0:
            raise BadInput(f"{self.name}: descent must be a whole number from 0, "
                           f"got {self.descent!r}")  # fmt: skip

    def init(self, problem: Problem, rng: Rng) -> Partition:
        d = problem.distribution
        assert isinstance(d, Factored)
        factors = d.factors()
        n = frame_of(factors[0]).matrix.shape[1]
        low = [torch.full((n,), -math.inf if f.normal else 0.0) for f in factors]
        high = [torch.full((n,), math.inf if f.normal else 1.0) for f in factors]
        log_w = torch.stack([f.log_weight.detach().double() for f in factors])
        return Partition(
            rng=rng,
            low=torch.stack(low).double(),
            high=torch.stack(high).double(),
            factor=torch.arange(len(factors)),
            log_lower=torch.full_like(log_w, -math.inf),
            log_upper=log_w,
            axis=torch.zeros(len(factors), dtype=torch.long),
            log_fine=torch.full_like(log_w, _FINE - math.log(len(factors))),
            bases=torch.eye(n, dtype=torch.float64).repeat(len(factors), 1, 1),
        )

    @torch.no_grad()
    def step(self, problem: Problem, state: Partition) -> Partition:
        problem = before_softmax(problem)
        price = self._price(problem)
        if state.steps == 0:
            return self._first(problem, state, price)
        # Where most is unknown; a cell costs two evaluations for each of its halves.
        gap = state.log_upper.exp() - state.log_lower.exp()
        count = int(min(self.batch, state.left // (4 * price), int((gap > 0).sum())))
        if count == 0:
            return replace(state, done=True)
        chosen = gap.topk(count).indices
        keep = torch.ones(len(gap), dtype=torch.bool)
        keep[chosen] = False
        halves = Cells(state.low[chosen], state.high[chosen]).cut(state.axis[chosen])
        factor = state.factor[chosen].repeat(2)
        log_fine = (state.log_fine[chosen] - math.log(2.0)).repeat(2)
        found = self._judge(problem, state, halves, factor, log_fine)
        whole = state.log_upper[chosen].repeat(2)  # a half holds no more than the whole
        new = replace(
            state,
            low=torch.cat([state.low[keep], halves.low]),
            high=torch.cat([state.high[keep], halves.high]),
            factor=torch.cat([state.factor[keep], factor]),
            log_lower=torch.cat([state.log_lower[keep], found.log_lower]),
            log_upper=torch.cat([state.log_upper[keep], torch.minimum(found.log_upper, whole)]),
            axis=torch.cat([state.axis[keep], found.axis]),
            log_fine=torch.cat([state.log_fine[keep], log_fine]),
            forwards=state.forwards + 4 * count * price,
        )
        return _summed(new)

    def _price(self, problem: Problem) -> int:
        """Forward-equivalents of judging one cell once."""
        d, c = problem.distribution, problem.spec
        assert isinstance(c, Polyhedral)
        margins = len(c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype)).b)
        path = moves(problem.graph, d.dim, d.dtype)
        spent = flops(path, problem.graph.widths(d.dim), margins, self.descent)
        return forward_equivalents(spent, problem.flops_per_forward)

    def _first(self, problem: Problem, state: Partition, price: int) -> Partition:
        """Look for the dominant direction, then judge D whole, with and without its tails."""
        d = problem.distribution
        assert isinstance(d, Factored)
        factors, spent = d.factors(), 3 * price * len(state.factor)
        if spent > state.left:
            return replace(state, done=True)
        bases, nearest = [], math.inf
        for k, factor in enumerate(factors):
            search = None
            if factor.normal:
                part = problem.vary(distribution=Gaussian(factor.offset, factor.matrix))
                search, cost = design_points.nearest(part, Rng(0), 0.2 * (state.left - spent))
                spent += cost
            if search is not None:
                search = search.double()
                nearest = min(nearest, float(search.norm()))
            along = search if self.basis == "direction" else None
            bases.append(basis(problem, factor, along) if factor.normal else state.bases[k])
        state = replace(state, bases=torch.stack(bases))
        if math.isfinite(nearest):
            guess = log_cdf_value(torch.tensor(-nearest, dtype=torch.float64))
            share = math.log(_SHARE / len(factors))
            state = replace(state, log_fine=torch.full_like(state.log_fine, float(guess) + share))
        cells = Cells(state.low, state.high)
        whole = self._judge(problem, state, cells, state.factor, None)
        found = self._judge(problem, state, cells, state.factor, state.log_fine)
        found, more = self._tails(problem, state, cells, found, price)
        spent += more
        new = replace(
            state,
            log_lower=torch.maximum(found.log_lower, whole.log_lower),
            log_upper=torch.minimum(found.log_upper, whole.log_upper),
            axis=found.axis,
            forwards=state.forwards + spent,
        )
        return _summed(new)

    def _tails(
        self, problem: Problem, state: Partition, cells: Cells, found: Verdict, price: int
    ) -> tuple[Verdict, int]:
        """The best bounds over many shares of D cut off with its tails, and their price.

        What is cut off counts as failing, and what is left is bounded on a ball the larger, the
        less was cut off: how far the network can be proved safe around the mean of D.
        """
        spent, each = 0, 2 * price * len(state.factor)
        for digits in _CUTS:
            if spent + each > _CUTTING * state.left:
                break
            log_fine = torch.full_like(state.log_fine, -digits * LN10)
            other = self._judge(problem, state, cells, state.factor, log_fine)
            found = Verdict(
                torch.maximum(found.log_lower, other.log_lower),
                torch.minimum(found.log_upper, other.log_upper),
                found.axis,
            )
            spent += each
        return found, spent

    def _judge(
        self,
        problem: Problem,
        state: Partition,
        cells: Cells,
        factor: Tensor,
        log_fine: Tensor | None,
    ) -> Verdict:
        """Bounds on each cell, the better of a fine and a coarse cut of its tails.

        The weight of its factor is included. Without `log_fine` nothing is cut off, for linear M.
        """
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Factored) and isinstance(c, Polyhedral)
        factors = d.factors()
        event = c.halfspaces(problem.outputs, factors[0].offset.detach().double())
        event = Halfspaces(event.a.double(), event.b.double(), event.clauses)
        path = moves(problem.graph, d.dim, d.dtype)
        lower, upper = (torch.full((len(factor),), x).double() for x in (-math.inf, 0.0))
        axis = torch.zeros(len(factor), dtype=torch.long)
        for k, f in enumerate(factors):
            mine = torch.nonzero(factor == k).squeeze(1)
            if len(mine) == 0:
                continue
            part = Cells(cells.low[mine], cells.high[mine])
            frame = _turned(frame_of(f), state.bases[k])
            log_w = f.log_weight.detach().double()
            log_mass = part.log_mass(f.normal) + log_w
            fine = None if log_fine is None or not f.normal else log_fine[mine]
            shares = _shares(log_mass, fine)
            for eps in shares:
                found = judge(
                    path, frame, event, part, eps, f.normal, live(problem, frame), self.descent
                )
                lower[mine] = torch.maximum(lower[mine], found.log_lower + log_w)
                upper[mine] = torch.minimum(upper[mine], found.log_upper + log_w)
                if eps is shares[0]:  # a coarser cut may leave nothing open
                    axis[mine] = found.axis
        return Verdict(lower, upper, axis)

    def finished(self, state: Partition) -> bool:
        return state.done

    def read(self, state: Partition) -> Estimate:
        info = {
            "cells": len(state.factor),
            "log10_lower": state.least / LN10,
            "log10_upper": state.most / LN10,
            "excluded": int(torch.isneginf(state.log_upper).sum()),
        }
        answer, vacuous, told = self._end(state)
        if vacuous:
            info["warning"] = told
        log_p = torch.tensor(answer, dtype=torch.float64)
        return Estimate(log_p, None, self.kind, Cost(forwards=state.forwards), info=info)

    @abstractmethod
    def _end(self, state: Partition) -> tuple[float, bool, str]:
        """The bound, whether it says nothing, and the sentence that says so."""


def _summed(state: Partition) -> Partition:
    """The bounds on log P are the sums over all cells, where those are better than before."""
    least = max(state.least, float(log_sum(state.log_lower)))
    most = min(state.most, float(log_sum(state.log_upper)))
    done = most == -math.inf or (least > -math.inf and most - least < _CLOSE)
    return replace(state, least=min(least, 0.0), most=most, done=done)


def _shares(log_mass: Tensor, log_fine: Tensor | None) -> list[Tensor]:
    """What share of each cell may be cut off: nothing, or a little and a little more."""
    zero = torch.zeros_like(log_mass)
    if log_fine is None:
        return [zero]
    return [torch.exp((log_fine - log_mass).clamp(max=math.log(EASY))), zero + EASY]


def _turned(frame: Frame, basis: Tensor) -> Frame:
    return Frame(frame.offset, frame.matrix @ basis)


@dataclass(frozen=True)
class Upper(_Bounds):
    """A proved upper bound on P: linear bounds of the network on cells, refined by bisection.

    D is cut into cells of known mass. In each cell the margins are bounded by linear functions, and
    P <= sum of mass x (probability of the half-space + the share cut off with the tails). The cells
    about which least is known are cut again until the budget is spent (branch and bound). Exact
    where M is linear and D Gaussian with one half-space; near it where few directions matter (the
    minimum tree) and where the noise is so small that all within some radius can be proved safe;
    on wide networks mostly 1, which it says.

    Sound up to rounding, which is covered by outward slack; the budget counts forward-equivalents
    of its operations.

    Args:
        basis: along which coordinates a normal D is cut: "neurons" (what the first layer's neurons
            read, one after the other) or "direction" (slabs of the dominant direction first).
        batch: cells that are cut in a step.
        descent: steps of gradient descent on the lower lines of the ReLUs for every cell.

    >>> import workbench as wb
    >>> round(Upper()(wb.load("A_d10_1e-12")).log10_p, 6)
    -12.0
    """

    name: ClassVar[str] = "upper"
    kind: ClassVar[Kind] = Kind.UPPER

    def _end(self, state: Partition) -> tuple[float, bool, str]:
        return state.most, state.most > math.log(0.5), "vacuous: it proves next to nothing (P <= 1)"


@dataclass(frozen=True)
class Lower(_Bounds):
    """A proved lower bound on P: the mass on which linear bounds prove the catastrophe.

    The same branch and bound as in `upper`, read from below: P >= sum over cells of mass x
    (probability of the half-space in which the linear lower bound is positive - the share cut off
    with the tails). On wide networks it mostly proves nothing (P >= 0), which it says.

    Args:
        basis: along which coordinates a normal D is cut: "neurons" (what the first layer's neurons
            read, one after the other) or "direction" (slabs of the dominant direction first).
        batch: cells that are cut in a step.
        descent: steps of gradient descent on the lower lines of the ReLUs for every cell.

    >>> import workbench as wb
    >>> round(Lower()(wb.load("A_d10_1e-12")).log10_p, 6)
    -12.0
    """

    name: ClassVar[str] = "lower"
    kind: ClassVar[Kind] = Kind.LOWER

    def _end(self, state: Partition) -> tuple[float, bool, str]:
        return state.least, state.least == -math.inf, "vacuous: it proves nothing (P >= 0)"
