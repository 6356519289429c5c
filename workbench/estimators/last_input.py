"""Accuracy of a small recurrent network from its weights: the last input in closed form."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Gaussian
from workbench.errors import Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.half_planes import flops, shares
from workbench.estimators.order_cells import Cells
from workbench.iteration import State
from workbench.math.cost import Cost, forward_equivalents
from workbench.models import RNN
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Points
from workbench.types import Grad, Kind

_AT_ONCE = 2048  # half-planes
_EDGE = 1e-12  # of the unit interval: no coordinate is infinite


@dataclass(frozen=True, kw_only=True)
class Scrambles(State):
    """P by every net so far, and the operations spent."""

    each: Tensor
    flops: float = 0.0
    exact: bool = False
    """Whether P is known, and another net would change nothing."""
    ended: bool = False
    """Whether the budget does not hold the next net."""


@dataclass(frozen=True)
class LastInput(Estimator):
    """P(the model points at the right input) for a ReLU RNN on x ~ N(0, s^2 I), without a sample.

    P = E_w[ P(right | half-plane of w and e_n) ]. Inside, the network is piecewise linear with at
    most h bends and P is exact (`half_planes`), for the price of about two to three forward passes.
    Outside, w is cut into cells in which the right answer does not jump (`order_cells`), and a
    scrambled Sobol net (Owen 1995), one of whose coordinates picks the cell, covers them all; for
    three inputs angles at equal steps from a random start do. Two inputs have two half-planes: P
    is exact. Each net is unbiased; the error is the spread of the nets.

    Args:
        lines: half-planes a net.
        nets: independent scrambles at most.

    >>> import workbench as wb
    >>> problem = wb.load("algzoo_second_h2_n2")
    >>> estimate = LastInput()(problem)
    >>> float(estimate.log_p.exp()) > 0.9, estimate.log_err
    (True, 0.0)
    """

    lines: int = 4096
    nets: int = 4
    name: ClassVar[str] = "last_input"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Gaussian,), (Points,))

    def __post_init__(self) -> None:
        check_positive(self.name, lines=self.lines, nets=self.nets)

    def init(self, problem: Problem, rng: Rng) -> Scrambles:
        _check(problem)
        return Scrambles(rng=rng, each=torch.empty(0, dtype=torch.float64))

    def step(self, problem: Problem, state: Scrambles) -> Scrambles:
        model = problem.model
        assert isinstance(model, RNN)
        n, one = model.steps, flops(model, model.steps)
        per = problem.flops_per_forward
        lines = 2 if n == 2 else int(min(self.lines, state.left * per // one))
        spent = lines * one
        if lines < 2 or forward_equivalents(spent, per) > state.left:
            return replace(state, ended=True)
        rng = state.rng.child("net", len(state.each))
        p = _average(problem, *_directions(n - 1, _rank(problem), lines, rng))
        return replace(
            state,
            each=torch.cat([state.each, p[None]]),
            flops=state.flops + spent,
            forwards=state.forwards + forward_equivalents(spent, per),
            exact=n == 2,
        )

    def finished(self, state: Scrambles) -> bool:
        return state.ended or state.exact or len(state.each) >= self.nets

    def read(self, state: Scrambles) -> Estimate:
        k, cost = len(state.each), Cost(state.forwards, state.flops)
        if not k:
            info: dict[str, Any] = {"warning": "the budget does not hold two half-planes"}
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(nothing, math.inf, self.kind, cost, None, info)
        mean = state.each.mean()
        error = 0.0 if state.exact else math.inf
        if k > 1 and float(mean) > 0.0:
            error = float(state.each.std() / mean) / math.sqrt(k)
        return Estimate(torch.log(mean.clamp(max=1.0)), error, self.kind, cost, None, {"nets": k})


def _average(problem: Problem, w: Tensor, a: Tensor | None, b: Tensor | None) -> Tensor:
    """Mean over half-planes of P(right), 0-d."""
    model, spec = problem.model, problem.spec
    assert isinstance(model, RNN) and isinstance(spec, Points)
    total = w.new_zeros(())
    for rows in torch.arange(len(w)).split(_AT_ONCE):
        ends = (None if i is None else i[rows] for i in (a, b))
        total = total + shares(model, w[rows], *ends).sum()
    return total / len(w)


def _directions(
    m: int, rank: int, lines: int, rng: Rng
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Directions w `(l, m)`, and which of their entries are of ranks r - 1 and r."""
    cells, generator = Cells(m, rank), rng.generator()
    orders = cells.orders()
    if m == 1:
        w = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        cell = torch.zeros(2, dtype=torch.int64)
    elif m == 2:  # two half-circles
        each = -(-lines // 2)
        start = torch.rand(2, 1, generator=generator, dtype=torch.float64)
        share = (torch.arange(each) + start) / each
        angle = math.pi * (share.flatten() - 0.75)
        w = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
        cell = torch.arange(2).repeat_interleave(each)
    else:
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        net = torch.quasirandom.SobolEngine(m + 1, scramble=True, seed=seed)
        u = net.draw(lines, dtype=torch.float64).clamp(_EDGE, 1.0 - _EDGE)
        cell = (u[:, 0] * cells.count).long()
        w = cells.draw(u[:, 1:])
    w = torch.empty_like(w).scatter_(1, orders[cell], w)
    above, _ = cells.sides
    a = orders[cell, above] if rank > 0 else None
    b = orders[cell, above + (rank > 0)] if rank < m else None
    return w, a, b


def _rank(problem: Problem) -> int:
    assert isinstance(problem.spec, Points)
    return problem.spec.rank


def _check(problem: Problem) -> None:
    """Raises `Unsupported` unless M, D and C are homogeneous and D is the same in all inputs."""
    model, d, c = problem.model, problem.distribution, problem.spec
    assert isinstance(d, Gaussian) and isinstance(c, Points)
    maps = (model.read, model.recur, model.say) if isinstance(model, RNN) else ()
    if not isinstance(model, RNN) or model.activation != "relu" or model.read.in_features != 1:
        raise Unsupported("a model other than an rnn of ReLUs that reads one number a step", _NEEDS)
    if any(layer.bias is not None for layer in maps):
        raise Unsupported("an rnn with biases", _NEEDS)
    scale = d.scale
    if bool(d.mean.any()) or scale.ndim != 1 or not bool((scale == scale[0]).all()):
        raise Unsupported("a gaussian that is not N(0, s^2 I)", "one is needed")
    if c.by != 0.0 or c.event != "right":
        raise Unsupported("a pointing that is wrong, or by more than 0", "'right' by 0 is needed")


_NEEDS = "an rnn of ReLUs without biases, one number a step, is needed"
