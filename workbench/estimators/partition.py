"""P under a law known by its energy, as a ratio of two partition functions."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Gaussian, Gibbs
from workbench.errors import BadInput, NotConverged
from workbench.estimators import aim, along, fitted, lines, summits, variational
from workbench.estimators.base import Estimate, Estimator, Needs, check_positive
from workbench.estimators.expected import Expected
from workbench.iteration import State
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.logspace import LN10, log_sum
from workbench.math.nodes import normal_nodes
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind, Pace

_BATCH = 32
_STEP, _REACH = 0.25, 7.0
_MANY = 10**9
_FOR_GRADIENT = 128  # lines


@dataclass(frozen=True, kw_only=True)
class Functions(State):
    """The Gaussian nearest to D, the summits seen from it, and what each line says."""

    mean: Tensor
    root: Tensor
    """N(mean, root root^T) in base noise."""
    log_z: Tensor
    """0-d: log Z by that Gaussian alone."""
    settled: bool = True
    theta: Tensor
    """`(k, d)`: summits of C in the noise of the Gaussian."""
    spread: Tensor
    """`(k, d, d)`: how lines along each are spread."""
    index: Tensor
    """`(k,)`: distances of the summits."""
    below: Tensor
    """`(n,)`: log of the integral along every line, for Z."""
    above: Tensor
    """`(k, n)`: the same over C, shared out among the summits."""
    drift: Tensor
    """0-d: 0, with the gradient of log P."""
    fit: bool = False
    searched: bool = False
    followed: bool = False


@dataclass(frozen=True)
class Partition(Estimator):
    """P_D[C] = E_base[exp(-U) 1_C] / E_base[exp(-U)], D known by its energy U alone.

    First the Gaussian q that is nearest to D is found by propagated moments of U (see
    `variational`); seen from it D is nearly normal, exp(-V) q with V nearly constant. Numerator and
    denominator are integrals of exp(-V) over lines of q's noise, in C and everywhere: along a line
    by a grid on which V and the margin are linear from node to node (see `along`), so that every
    interval that the line spends in C counts; across the lines by a Sobol net. The lines of the
    numerator go through the summits of C under q (see `fitted`), shared out among them as in
    `conditioned`. Exact where U is quadratic and C a half-space: then V is constant.

    Deterministic; no draw of D or of its base. The gradient is that of the sums, in parameters of
    the base, of U, of M and of C. `info["free_energy_gap_digits"]` is how far log Z by q alone is
    from the lines': how little D is a Gaussian.

    Args:
        lines: the most that are drawn, for Z and for each summit of C.
        summits: the most that are kept.
        tolerance: relative error of either integral, as its lines differ, at which it stops.

    >>> import torch, workbench as wb
    >>> base = wb.Gaussian(torch.zeros(2).double(), torch.ones(2).double())
    >>> U = wb.models.dense(torch.tensor([[1.0, 0.0]]).double())  # exp(-x_0): the mean moves to -1
    >>> C = wb.Halfspace(torch.tensor([1.0]).double(), -4.0)
    >>> M = wb.models.dense(torch.tensor([[1.0, 0.0]]).double())
    >>> round(Partition()(wb.Problem(wb.Gibbs(base, U), M, C)).log10_p, 4)  # log10 Phi(-5)
    -6.5426
    """

    lines: int = 512
    summits: int = 4
    tolerance: float = 0.05
    name: ClassVar[str] = "partition"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.IMPLICIT
    needs: ClassVar[Needs] = Needs((Gibbs,))
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        check_positive(self.name, lines=self.lines, summits=self.summits)
        if not (isinstance(self.tolerance, int | float) and self.tolerance > 0):
            raise BadInput(f"partition: tolerance must be above 0, got {self.tolerance!r}")

    def init(self, problem: Problem, rng: Rng) -> Functions:
        zero = torch.zeros(problem.distribution.dim, dtype=problem.distribution.dtype)
        eye, none = torch.eye(len(zero), dtype=zero.dtype), zero[:0]
        return Functions(
            rng=rng, mean=zero, root=eye, log_z=zero.sum(), theta=eye[:0], spread=eye[None][:0],
            index=none, below=none, above=none[None][:0], drift=zero.sum(),
        )  # fmt: skip

    def step(self, problem: Problem, state: Functions) -> Functions:
        if not state.fit:
            return self._approach(problem, state)
        if not state.searched:
            return self._search(problem, state)
        if not self._enough(state):
            return self._draw(problem, state)
        return self._follow(problem, state)

    def _approach(self, problem: Problem, state: Functions) -> Functions:
        """The Gaussian nearest to D."""
        d = problem.distribution
        assert isinstance(d, Gibbs)
        energy = Expected(d)
        with torch.no_grad():
            q = variational.nearest(energy, state.mean, state.root)
        cost = forward_equivalents(3.0 * energy.flops, problem.flops_per_forward)
        return replace(
            state, mean=q.mean, root=torch.linalg.cholesky(q.cov), log_z=q.log_z,
            settled=q.settled, fit=True, forwards=state.forwards + int(min(cost, state.left)),
        )  # fmt: skip

    @torch.no_grad()
    def _search(self, problem: Problem, state: Functions) -> Functions:
        """The summits of C under the Gaussian."""
        d = problem.distribution
        assert isinstance(d, Gibbs)
        scale = torch.diag(d.base.scale) if d.base.diagonal else d.base.scale
        # In noise of q: x = base mean + scale (mean + root e), its factor made triangular again.
        root = torch.linalg.cholesky(scale @ state.root @ state.root.T @ scale.T)
        turn = torch.linalg.solve(root, scale @ state.root)
        seen = problem.vary(distribution=Gaussian(d.base.push(state.mean[None])[0], root))
        found = fitted.candidates(seen, self.summits, state.left)
        theta = found.theta @ turn  # e with root^-1 (x - mean) = turn e
        spread = []
        for i in range(len(theta)):
            land = summits.Landscape(seen) if summits.propagates(seen) else None
            eye = torch.eye(d.dim, dtype=d.dtype)
            if land is None:
                spread.append(eye)
                continue
            own = summits.spread(land, found.theta[i], int(found.clause[i]))
            spread.append(turn.T @ own @ turn)
        return replace(
            state, theta=theta, index=theta.norm(dim=1), searched=True,
            spread=torch.stack(spread) if spread else state.spread,
            above=state.below.new_zeros(len(theta), 0),
            forwards=state.forwards + int(min(found.forwards, state.left)),
        )  # fmt: skip

    @torch.no_grad()
    def _draw(self, problem: Problem, state: Functions) -> Functions:
        first = len(state.below)
        n = min(_BATCH, self.lines - first, self._room(state))
        below, above, cost = _integrals(problem, state, first, n)
        return replace(
            state, below=torch.cat([state.below, below]),
            above=torch.cat([state.above, above], dim=1), forwards=state.forwards + cost,
        )  # fmt: skip

    def _follow(self, problem: Problem, state: Functions) -> Functions:
        """The same lines once more, and others, with the graph of log P: its components differ
        among lines that agree on the value."""
        n = min(max(len(state.below), _FOR_GRADIENT), self.lines, self._room(state))
        if n < 1:
            return replace(state, followed=True)
        below, above, cost = _integrals(problem, state, 0, n)
        log_p = _log_mean(above.flatten(), n) - _log_mean(below, n)
        return replace(
            state, followed=True, drift=log_p - log_p.detach(), forwards=state.forwards + cost
        )

    def _room(self, state: Functions) -> int:
        """Lines of either kind that the budget still holds."""
        price = sum(len(_grid(t)) for t in (0.0, *state.index.tolist()))
        return int(min(_MANY, state.left // price))

    def _enough(self, state: Functions) -> bool:
        n = len(state.below)
        # The gradient takes the same lines once more.
        spare = n + _BATCH if torch.is_grad_enabled() and n else 0
        if n >= self.lines or self._room(state) < 1 + spare:
            return True
        return n >= _BATCH and max(_spread(state)) <= self.tolerance

    def finished(self, state: Functions) -> bool:
        if not state.searched or not self._enough(state):
            return False
        return state.followed or not torch.is_grad_enabled()

    def read(self, state: Functions) -> Estimate:
        n, cost = len(state.below), Cost(forwards=state.forwards)
        if n < 2:
            info = {"warning": "the budget held no lines: nothing is known of P"}
            nothing = state.below.new_tensor(-math.inf)
            return Estimate(nothing, None, self.kind, cost, info=info)
        below = _log_mean(state.below, n)
        above = _log_mean(state.above.flatten(), n)
        if not bool(torch.isfinite(below)):
            raise NotConverged("partition: the weight of D is 0, infinite or NaN along every line")
        digits = math.hypot(*_spread(state)) / LN10
        info: dict[str, Any] = {
            "log10_partition_function": float(below) / LN10,
            "free_energy_gap_digits": abs(float(below - state.log_z)) / LN10,
            "spread_digits": digits,
            "indicator_digits": digits,
            "summits": state.index.tolist(),
        }
        if warning := lines.doubt(above, digits):
            info["warning"] = warning
        elif not state.settled:
            info["warning"] = "the Gaussian nearest to D did not settle"
        log_p = torch.clamp(above - below, max=0.0) + state.drift
        return Estimate(log_p, None, self.kind, cost, info=info)


def _grid(index: float) -> Tensor:
    """From -7 to 7 standard deviations, or as far beyond a summit."""
    return torch.arange(-_REACH, index + _REACH + _STEP, _STEP, dtype=torch.float64)


def _integrals(
    problem: Problem, state: Functions, first: int, n: int
) -> tuple[Tensor, Tensor, int]:
    """Lines first .. first + n - 1: log integrals for Z `(n,)` and over C `(k, n)`, forwards."""
    d = problem.distribution
    assert isinstance(d, Gibbs)
    half = torch.logdet(state.root)
    dim = d.dim

    def value(e: Tensor) -> tuple[Tensor, Tensor]:
        """V = -log(phi(z) exp(-U) / q) and the margin, at noise e of q."""
        z = state.mean + e @ state.root.T
        x = d.base.push(z)
        v = d.energy(x) + 0.5 * (z.square() - e.square()).sum(1) - half
        return v, problem.margin(x)

    longest = torch.linalg.svd(state.root).Vh[0]
    e = normal_nodes(n, dim, 0, first, state.mean.dtype)
    grid = _grid(0.0).to(e.dtype)
    w = e - (e @ longest)[:, None] * longest
    below = along.log_integral(lambda e: (value(e)[0], torch.ones_like(e[:, 0])), w, longest, grid)
    cost, above = n * len(grid), []
    units = state.theta / state.theta.norm(dim=1, keepdim=True).clamp(min=1e-12)
    for k, unit in enumerate(units):
        e = normal_nodes(n, dim, k + 1, first, state.mean.dtype)
        laid = aim.around(state.spread[k])
        w = laid.lay(unit, e, first)
        log_w = laid.log_weight(w)
        grid = _grid(float(state.index[k])).to(e.dtype)

        def shared(e: Tensor, k: int = k) -> tuple[Tensor, Tensor]:
            v, s = value(e)
            return v - lines.log_share(e, units, state.index, k), s

        above.append(along.log_integral(shared if len(units) > 1 else value, w, unit, grid) + log_w)
        cost += n * len(grid)
    return below, torch.stack(above) if above else below.new_zeros(0, n), cost


def _log_mean(logs: Tensor, n: int) -> Tensor:
    return log_sum(logs) - math.log(n) if len(logs) else logs.new_tensor(-math.inf)


def _spread(state: Functions) -> tuple[float, float]:
    """Relative standard errors of both integrals, as their lines differ."""
    n = len(state.below)
    told = []
    for logs in (state.below[None], state.above):
        if not len(logs) or not bool(torch.isfinite(logs.max())):
            told.append(0.0)
            continue
        share = torch.exp(logs - logs.max())
        told.append(float(share.var(dim=1).sum().sqrt()) / float(share.mean(1).sum()) / n**0.5)
    return told[0], told[1]
