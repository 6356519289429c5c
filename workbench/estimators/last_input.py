"""Accuracy of a small recurrent network from its weights, without a sample."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Gaussian
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators import half_planes, last_lines
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.ordered import in_order
from workbench.iteration import State
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.lattice import korobov
from workbench.math.nodes import sobol_nodes
from workbench.models import RNN
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Median, Points, Ranked
from workbench.types import Grad, Kind

_AT_ONCE = 2048  # half-planes
_LINES = 7  # inputs: as measured, where half-planes repay their price
_SOBOL = 8  # dimensions: beyond, lattices were better at pointing
_EDGE = 1e-12  # of the unit interval: no coordinate is infinite


@dataclass(frozen=True, kw_only=True)
class Nets(State):
    """P by every net of points so far, and the operations spent."""

    each: Tensor
    flops: float = 0.0
    exact: bool = False
    """Whether P is known, and another net would change nothing."""
    ended: bool = False
    """Whether the budget does not hold the next net."""


@dataclass(frozen=True)
class LastInput(Estimator):
    """P(a ReLU RNN points at the right input, or says the median) on x ~ N(0, s^2 I).

    P = E_w[ P(right | half-plane of w and e_n) ]. Inside, the network is piecewise linear with at
    most h bends and P is exact (`half_planes`), at the price of three to six forward passes.
    Outside, the greatest entries of w are put in order (`ordered`), so that within a cell the
    right answer does not jump, and a scrambled Sobol net (Owen 1995) covers cells and points alike;
    for three inputs angles at equal steps do. Two inputs have two half-planes: P is exact. Beyond
    seven inputs one of them tells too little for that price: then the network is run at the points
    of a shifted lattice (`math.lattice`), in order too. Each net of points is unbiased; the error
    is the spread of independent nets.

    Args:
        points: half-planes, or inputs, of a net; a power of two.
        nets: independent nets at most.
        inner: "line" for half-planes and lines, "point" for inputs, "auto" for one by length.

    >>> import workbench as wb
    >>> estimate = LastInput()(wb.load("algzoo_second_h2_n2"))
    >>> float(estimate.log_p.exp()) > 0.9, estimate.log_err
    (True, 0.0)
    """

    points: int = 4096
    nets: int = 4
    inner: str = "auto"
    name: ClassVar[str] = "last_input"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Gaussian,), (Ranked,), readable=True, covariances=True)
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"inner": ("auto", "line", "point")}

    def __post_init__(self) -> None:
        check_positive(self.name, points=self.points, nets=self.nets)
        if self.points & (self.points - 1) or self.points < 2:
            raise BadInput(f"last_input: points must be a power of two, got {self.points}")
        if self.inner not in self.choices["inner"]:
            raise BadInput(f"last_input: inner must be auto, line or point, got {self.inner!r}")

    def init(self, problem: Problem, rng: Rng) -> Nets:
        _check(problem)
        return Nets(rng=rng, each=torch.empty(0, dtype=torch.float64))

    @torch.no_grad()
    def step(self, problem: Problem, state: Nets) -> Nets:
        model, spec, per = problem.model, problem.spec, problem.flops_per_forward
        assert isinstance(model, RNN) and isinstance(spec, Ranked)
        n = model.steps
        pays = n <= _LINES or isinstance(spec, Median)
        line = self.inner == "line" or (self.inner == "auto" and pays)
        exact = line and n == 2 and isinstance(spec, Points)
        inside = last_lines if isinstance(spec, Median) else half_planes
        one = inside.flops(model, n) if line else per
        points = 2 if exact else min(self.points, _power(state.left * per / one))
        spent = points * one
        if points < 2 or forward_equivalents(spent, per) > state.left:
            return replace(state, ended=True)
        p = _net(problem, line, points, state.rng.child("net", len(state.each)))
        if bool(torch.isnan(p)):
            raise NotConverged(f"the margin is NaN on some of {points} inputs")
        return replace(
            state,
            each=torch.cat([state.each, p.double()[None]]),
            flops=state.flops + spent,
            forwards=state.forwards + forward_equivalents(spent, per),
            exact=exact,
        )

    def finished(self, state: Nets) -> bool:
        return state.ended or state.exact or len(state.each) >= self.nets

    def read(self, state: Nets) -> Estimate:
        k, cost = len(state.each), Cost(state.forwards, state.flops)
        if not k:
            info: dict[str, Any] = {"warning": "the budget does not hold two points"}
            nothing = torch.tensor(-math.inf, dtype=torch.float64)
            return Estimate(nothing, math.inf, self.kind, cost, None, info)
        mean = state.each.mean()
        error = 0.0 if state.exact else math.inf
        if k > 1 and float(mean) > 0.0:
            error = float(state.each.std() / mean) / math.sqrt(k)
        return Estimate(torch.log(mean.clamp(max=1.0)), error, self.kind, cost, None, {"nets": k})


def _net(problem: Problem, line: bool, points: int, rng: Rng) -> Tensor:
    """P by one net of half-planes, lines or points, 0-d."""
    model, spec, d = problem.model, problem.spec, problem.distribution
    assert isinstance(model, RNN) and isinstance(d, Gaussian)
    n, dtype = model.steps, model.say.weight.dtype
    if isinstance(spec, Points) and line:
        w, above, below = _directions(n - 1, spec.rank, points, rng)
        return _over(points, half_planes.shares, model, w.to(dtype), above, below)
    if isinstance(spec, Points):
        x, order = in_order(_uniform(points, n + 1, rng), min(spec.rank + 2, n))
        return _over(points, _hits, model, x.to(dtype), order[:, spec.rank, None])
    assert isinstance(spec, Median)
    u = _net_of_sobol(points, n - 1 if line else n, rng.generator())
    z = torch.special.ndtri(u).to(dtype)
    if line:  # M and the median grow with the scale of x, and nothing else does
        return _over(points, last_lines.shares, model, z, spec.within / float(d.scale[0]))
    return _over(points, _near, problem, d.scale * z)


def _near(problem: Problem, x: Tensor) -> Tensor:
    return (problem.margin(x) > 0).double()


def _hits(model: RNN, x: Tensor, right: Tensor) -> Tensor:
    y = model(x)
    return (y.gather(1, right)[:, 0] > y.scatter(1, right, -torch.inf).amax(1)).double()


def _power(most: float) -> int:
    """The largest power of two up to `most`; 0 below 1."""
    return 1 << int(math.log2(min(most, 1e15))) if most >= 1.0 else 0


def _over(points: int, share: Callable[..., Tensor], *what: Any) -> Tensor:
    """Mean of the shares of all points, 0-d; `what` are tensors, cut into parts, or else as is."""
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, points, _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        total = total + share(*(w[rows] if isinstance(w, Tensor) else w for w in what)).sum()
    return total / points


def _directions(
    m: int, rank: int, points: int, rng: Rng
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Directions w `(n, m)`, and which of their entries are of ranks r - 1 and r."""
    if m > 2:
        w, order = in_order(_uniform(points, m + 1, rng), min(rank + 2, m))
    else:
        w = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        if m == 2:
            start = float(torch.rand(1, generator=rng.generator(), dtype=torch.float64))
            angle = (torch.arange(points, dtype=torch.float64) + start) * (2.0 * math.pi / points)
            w = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
        order = torch.argsort(w, dim=1, descending=True)
    return w, order[:, rank - 1] if rank > 0 else None, order[:, rank] if rank < m else None


def _uniform(n: int, d: int, rng: Rng) -> Tensor:
    """n evenly spread points of the cube: a scrambled Sobol net, or a shifted lattice if d > 8."""
    generator = rng.generator()
    if d <= _SOBOL:
        return _net_of_sobol(n, d, generator)
    u = (korobov(n, d) + torch.rand(d, generator=generator, dtype=torch.float64)) % 1.0
    return u.clamp(_EDGE, 1.0 - _EDGE)


def _net_of_sobol(n: int, d: int, generator: torch.Generator) -> Tensor:
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    return sobol_nodes(n, d, seed).clamp(_EDGE, 1.0 - _EDGE)


def _check(problem: Problem) -> None:
    """Raises `Unsupported` unless M, D and C are homogeneous and D is the same in all inputs."""
    model, d, c = problem.model, problem.distribution, problem.spec
    assert isinstance(d, Gaussian)
    maps = (model.read, model.recur, model.say) if isinstance(model, RNN) else ()
    if not isinstance(model, RNN) or model.activation != "relu" or model.read.in_features != 1:
        raise Unsupported("a model other than an rnn of ReLUs that reads one number a step", _NEEDS)
    if any(layer.bias is not None for layer in maps):
        raise Unsupported("an rnn with biases", _NEEDS)
    scale = d.scale
    if bool(d.mean.any()) or scale.ndim != 1 or not bool((scale == scale[0]).all()):
        raise Unsupported("a gaussian that is not N(0, s^2 I)", "one is needed")
    if isinstance(c, Points) and (c.by != 0.0 or c.event != "right"):
        raise Unsupported("a pointing that is wrong, or by more than 0", "'right' by 0 is needed")
    if isinstance(c, Median) and c.event != "near":
        raise Unsupported("a median that is far off", "one that is near is needed")


_NEEDS = "an rnn of ReLUs without biases, one number a step, is needed"
