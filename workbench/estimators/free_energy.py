"""log P under a law known by its energy, from free energies alone: variational propagation."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench import graph as graphs
from workbench.distributions import Gibbs, Piece
from workbench.errors import BadInput, Unsupported
from workbench.estimators import variational
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.variational import Nearest
from workbench.graph import Graph
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import LN10, log_sum
from workbench.math.nodes import normal_nodes
from workbench.math.saddle import log_tail
from workbench.models import Headed
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.rng import Rng
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace

_SEARCH, _FURTHEST = 40, 1e4
_NODES = 128
_FAR = 0.5  # digits


@dataclass(frozen=True, kw_only=True)
class FreeEnergyState(State):
    """The answer of the first order and of the second, in nats."""

    first: Tensor
    second: Tensor
    settled: bool = True
    flops: float = 0.0
    done: bool = False


@dataclass(frozen=True)
class FreeEnergy(Estimator):
    """P(s > 0) for x ~ base(x) exp(-U(x)) / Z from free energies: no draw, and Z never summed.

    The cumulant generating function of the margin is a difference of free energies,
    K(t) = log Z(t) - log Z(0), where t pulls D along the margin: log Z(t) is the maximum over
    Gaussians q of E_q[t s - U] - KL(q || base) (see `variational`), both means by covariance
    propagation through M and U as one network. The tail is the saddlepoint's at K'(t) = 0. The
    second order adds half the variance of log(q / weight) under q to every log Z, on
    equidistributed nodes: the next term of the cumulant expansion about q.

    How far the two orders differ is its defect (`info["defect_digits"]`): both are right where D is
    nearly a Gaussian and M nearly linear where it fails; elsewhere q sits in one valley of U, and
    the margin's mean under q says little of its tail. `partition` integrates instead.

    Args:
        order: 1 or 2.
    """

    order: int = 2
    name: ClassVar[str] = "free_energy"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Gibbs,), (Polyhedral,), readable=True, covariances=True)
    pace: ClassVar[Pace] = Pace.AT_REST

    def __post_init__(self) -> None:
        if isinstance(self.order, bool) or self.order not in (1, 2):
            raise BadInput(f"free_energy: order must be 1 or 2, got {self.order!r}")

    def init(self, problem: Problem, rng: Rng) -> FreeEnergyState:
        zero = torch.zeros((), dtype=torch.float64)
        return FreeEnergyState(rng=rng, first=zero, second=zero)

    @torch.no_grad()
    def step(self, problem: Problem, state: FreeEnergyState) -> FreeEnergyState:
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Gibbs) and isinstance(c, Polyhedral)
        event = c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))
        if any(len(clause) > 1 for clause in event.clauses):
            raise Unsupported("an intersection of half-spaces", "free energies take one at a time")
        # M alone first, so that what is not finite is told by the name of M's own operation.
        Covariance().law(problem.graph, d.base.pieces()[0], event.a, event.b)
        both = Headed(problem.model, [("inputs", d.network)], d.dim, d.dtype)
        graph = graphs.read(both, d.dim)
        first, second, settled, flops = [], [], True, 0.0
        for (i,) in event.clauses:
            pulled = _Pulled(d, both, graph, event.a[i], event.b[i])
            one, two = pulled.tails()
            first.append(one)
            second.append(two)
            settled, flops = settled and pulled.settled, flops + pulled.flops
        union = [torch.clamp(log_sum(torch.stack(parts)), max=0.0) for parts in (first, second)]
        return replace(
            state, first=union[0], second=union[1], settled=settled, flops=flops, done=True
        )

    def finished(self, state: FreeEnergyState) -> bool:
        return state.done

    def read(self, state: FreeEnergyState) -> Estimate:
        log_p = state.first if self.order == 1 else state.second
        defect = abs(float(state.first - state.second)) / LN10
        if math.isnan(defect):  # both are -inf
            defect = 0.0
        info: dict[str, Any] = {"defect_digits": defect, "indicator_digits": defect}
        if float(log_p) == -math.inf:
            info["warning"] = (
                "no pull brings the margin's mean to 0: C is impossible, or there only where "
                "propagated means do not see it"
            )
        elif defect > _FAR:
            info["warning"] = (
                f"the first and the second order differ by {defect:.1f} digits: D is no Gaussian, "
                "or M bends where it fails; `partition` integrates"
            )
        elif not state.settled:
            info["warning"] = "the Gaussian nearest to D did not settle"
        return Estimate(log_p, None, self.kind, Cost(flops=state.flops), info=info)


class _Pulled:
    """D pulled along one margin s = a . y + b by exp(t s)."""

    def __init__(self, law: Gibbs, both: Headed, graph: Graph, a: Tensor, b: Tensor):
        self.law, self.both, self.graph = law, both, graph
        rows = a.new_zeros(2, both.stops[-1])
        rows[0, : len(a)], rows[1, -1] = a, 1.0
        self.rows, self.offsets = rows, torch.stack([b, torch.zeros_like(b)])
        self.flops, self.settled = 0.0, True
        zero = a.new_zeros(law.dim)
        self.last = Nearest(zero, torch.eye(law.dim, dtype=a.dtype), zero.sum(), True)
        e = normal_nodes(_NODES, law.dim, dtype=a.dtype)
        self.nodes = torch.cat([e, -e])

    def _means(self, mean: Tensor, cov: Tensor) -> Tensor:
        """E[s] and E[U] under N(mean, cov) in base noise, `(2,)`."""
        base = self.law.base
        piece = Piece(mean.new_zeros(()), base.push(mean[None])[0], base.covariance_of(cov))
        law, flops = Covariance().law(self.graph, piece, self.rows, self.offsets)
        self.flops += 3.0 * flops
        return law.mean

    def at(self, t: float) -> tuple[Nearest, float]:
        """The nearest Gaussian under this pull, and the margin's mean under it."""

        def energy(mean: Tensor, cov: Tensor) -> Tensor:
            s, u = self._means(mean, cov)
            return u - t * s

        q = variational.nearest(energy, self.last.mean, self.last.cov)
        self.settled = self.settled and q.settled
        self.last = q
        return q, float(self._means(q.mean, q.cov)[0])

    def next_order(self, q: Nearest, t: float) -> Tensor:
        """Half the variance of log(q / weight) under q."""
        root = torch.linalg.cholesky(q.cov)
        z = q.mean + self.nodes @ root.T
        y = self.both(self.law.base.push(z)) @ self.rows.T + self.offsets
        self.flops += 2.0 * len(z) * sum(p.numel() for p in self.both.parameters())
        v = y[:, 1] - t * y[:, 0] + 0.5 * (z.square() - self.nodes.square()).sum(1)
        return 0.5 * v.var()

    def tails(self) -> tuple[Tensor, Tensor]:
        """log P(s > 0) of the first order and of the second."""
        zero, rate = self.at(0.0)
        plain = self.next_order(zero, 0.0)
        t = self._root(rate)
        if t is None:
            never = zero.log_z.new_tensor(0.0 if rate > 0 else -math.inf)
            return never, never
        step = 0.02 * max(abs(t), 0.1)
        curve = (self.at(t + step)[1] - self.at(t - step)[1]) / (2.0 * step)
        q, _ = self.at(t)
        k = q.log_z - zero.log_z
        shape = [k.new_tensor(x) for x in (t, max(curve, 1e-12), rate)]
        beyond = k + self.next_order(q, t) - plain
        return tuple(log_tail(shape[0], x, shape[1], shape[2]) for x in (k, beyond))  # type: ignore[return-value]

    def _root(self, rate: float) -> float | None:
        """The pull under which the margin's mean is 0; None where none brings it there."""
        if rate == 0.0:
            return 0.0
        low, at_low = 0.0, rate
        high = -math.copysign(0.5, rate)
        at_high = self.at(high)[1]
        while at_high * rate > 0.0:
            if abs(high) > _FURTHEST:
                return None
            low, at_low, high = high, at_high, 2.0 * high
            at_high = self.at(high)[1]
        for _ in range(_SEARCH):  # Illinois' rule
            t = high - at_high * (high - low) / (at_high - at_low)
            value = self.at(t)[1]
            if value * at_high > 0.0:
                at_low *= 0.5
            else:
                low, at_low = high, at_high
            high, at_high = t, value
            if abs(value) < 1e-4 * abs(rate) or abs(high - low) < 1e-4 * abs(high):
                break
        return high
