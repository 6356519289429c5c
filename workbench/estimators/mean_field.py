"""log P under spins known by their energy: mean field, then the saddlepoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import SpinGlass, Spins
from workbench.errors import BadInput, Unsupported
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.spin_means import Through
from workbench.graph.rules import Affine
from workbench.iteration import State
from workbench.math.checks import known
from workbench.math.cost import Cost
from workbench.math.logspace import LN10, log_sum
from workbench.math.saddle import log_tail
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspaces, Polyhedral
from workbench.types import Grad, Kind, Pace

_SWEEPS, _STILL, _RESTLESS = 300, 1e-8, 1e-3
_NEWTON, _STEP = 40, 3.0
_MOST_SUMMED = 16
_FAR = 0.5
_FORM = {"naive": 0.0, "tap": 1.0}


@dataclass(frozen=True, kw_only=True)
class MeanFieldState(State):
    """The answer, and by which free energies."""

    log_p: Tensor
    naive: Tensor
    tap: Tensor
    tap_settled: bool = True
    by_means: bool = False
    """Whether a network's propagated means stand for the margin or the energy."""
    flops: float = 0.0
    done: bool = False


@dataclass(frozen=True)
class MeanField(Estimator):
    """P(s > 0) for spins x known by their energy, no state drawn and Z never summed.

    The cumulant generating function of the margin is a difference of free energies,
    K(t) = log Z(t) - log Z(0), where t pulls the spins along the margin. The `summed` spins with
    the strongest couplings are summed over by the law of total probability; for the others, given
    those, mean field
    presumes independent spins of mean m. Of a linear margin a.x + b under a spin glass it takes

        log Z(t) = max_m  beta (m'Jm/2 + h.m) + S(m) + t (a.m + b),

    S the entropy; "tap" adds the reaction term of Thouless, Anderson and Palmer (Phil. Mag. 35,
    593, 1977), (beta^2/4) sum_ij J_ij^2 (1 - m_i^2)(1 - m_j^2), the next order of Plefka's
    expansion (J. Phys. A 15, 1971, 1982). The tail is the saddlepoint's (Barndorff-Nielsen 1986)
    at K'(t) = 0, for each assignment of the summed spins. So `summed` is a knob from mean field to
    enumeration. Where the energy or M is a network, covariance propagation gives their means, and
    "tap" adds half the variance of log(weight / product law), whose TAP term that is (see
    `spin_means`); at most two spins are summed.

    Its error shows in how much the two free energies differ (`info["defect_digits"]`): both are
    right at high temperature; in the glass "tap" may not settle, and then the answer is naive. Of
    a network both go by the means of its outputs: a margin that few states bring above 0 may be out
    of reach for every product law, and then the answer is 0, with a warning.

    Args:
        free_energy: "naive" (a lower bound on every log Z) or "tap".
        summed: spins that are summed over, at most 16; the work grows as 2^summed.
    """

    free_energy: str = "naive"
    summed: int = 7
    name: ClassVar[str] = "mean_field"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Spins,), (Polyhedral,), readable=True, covariances=True)
    pace: ClassVar[Pace] = Pace.AT_REST
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"free_energy": tuple(_FORM)}

    def __post_init__(self) -> None:
        if self.free_energy not in _FORM:
            raise BadInput(f"unknown free energy {self.free_energy!r}: use {' or '.join(_FORM)}")
        if not isinstance(self.summed, int) or not 0 <= self.summed <= _MOST_SUMMED:
            raise BadInput(
                f"mean_field: summed must be a whole number from 0 to {_MOST_SUMMED}, "
                f"got {self.summed!r}"
            )

    def init(self, problem: Problem, rng: Rng) -> MeanFieldState:
        zero = torch.zeros((), dtype=torch.float64)
        return MeanFieldState(rng=rng, log_p=zero, naive=zero, tap=zero)

    @torch.no_grad()
    def step(self, problem: Problem, state: MeanFieldState) -> MeanFieldState:
        d, c = problem.distribution, problem.spec
        assert isinstance(d, Spins) and isinstance(c, Polyhedral)
        event = c.halfspaces(problem.outputs, torch.zeros(1, dtype=d.dtype))
        if any(len(clause) > 1 for clause in event.clauses):
            raise Unsupported("an intersection of half-spaces", "mean field takes one at a time")
        if not isinstance(d, SpinGlass) or not _affine(problem):
            return self._through(problem, state, event)
        slope, level = _margins(problem, event.a, event.b)
        found, sweeps = {}, 0
        for form, tap in _FORM.items():
            parts, settled = [], True
            for (i,) in event.clauses:
                glass = _Glass(d, slope[i], level[i], tap, self.summed)
                parts.append(glass.log_p())
                sweeps += glass.sweeps
                settled = settled and not glass.unsettled
            found[form] = (torch.clamp(log_sum(torch.stack(parts)), max=0.0), settled)
        flops = 6.0 * sweeps * 2 ** min(self.summed, d.dim) * max(0, d.dim - self.summed) ** 2
        tap_settled = found["tap"][1]
        asked = self.free_energy if tap_settled else "naive"
        return replace(
            state, log_p=found[asked][0], naive=found["naive"][0], tap=found["tap"][0],
            tap_settled=tap_settled, flops=flops, done=True,
        )  # fmt: skip

    def _through(
        self, problem: Problem, state: MeanFieldState, event: Halfspaces
    ) -> MeanFieldState:
        """Networks: both orders from the same product laws."""
        parts, flops, settled = [], 0.0, True
        for (i,) in event.clauses:
            spins = Through(problem, event.a[i], event.b[i], self.summed)
            parts.append(torch.stack(spins.log_p()).double())
            flops, settled = flops + spins.flops, settled and not spins.unsettled
        naive, tap = torch.clamp(torch.logsumexp(torch.stack(parts), 0), max=0.0)
        asked = tap if settled and self.free_energy == "tap" else naive
        return replace(
            state,
            log_p=asked,
            naive=naive,
            tap=tap,
            tap_settled=settled,
            by_means=True,
            flops=flops,
            done=True,
        )

    def finished(self, state: MeanFieldState) -> bool:
        return state.done

    def read(self, state: MeanFieldState) -> Estimate:
        info: dict[str, Any] = {"tap_settled": state.tap_settled}
        if state.tap_settled:
            both = float(state.naive - state.tap)
            defect = 0.0 if math.isnan(both) else abs(both) / LN10  # NaN where both are -inf
            info["defect_digits"] = defect
            if defect > _FAR:
                info["warning"] = (
                    f"naive mean field and its next order differ by {defect:.1f} digits: the "
                    "spins are not nearly independent; sum over more of them (`summed`)"
                )
        else:
            info["warning"] = (
                "the next order of mean field does not settle, as in a glass: this is naive mean "
                "field, and its defect is not known; sum over more spins (`summed`)"
            )
        if state.by_means and state.log_p == -math.inf:
            info["warning"] = (
                "no product law brings the margin's propagated mean above 0: C is impossible, or "
                "so few states fail that mean field does not see them"
            )
        return Estimate(state.log_p, None, self.kind, Cost(flops=state.flops), info=info)


def _affine(problem: Problem) -> bool:
    return all(isinstance(rule, Affine) for rule in problem.graph.rules(problem.distribution.dim))


def _margins(problem: Problem, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The margins of an affine model as functions of x: slopes `(r, d)` and levels `(r,)`."""
    d = problem.distribution.dim
    points = torch.cat([torch.zeros(1, d, dtype=a.dtype), torch.eye(d, dtype=a.dtype)])
    s = known(problem.answers(points) @ a.T + b)
    return (s[1:] - s[0]).T.double(), s[0].double()


class _Glass:
    """One spin glass pulled along one margin: some spins summed over, mean field for the rest."""

    def __init__(self, d: SpinGlass, slope: Tensor, level: Tensor, tap: float, summed: int):
        j, h = d.beta * d.couplings.double(), d.beta * d.fields.double()
        order = torch.argsort(j.square().sum(1), descending=True)
        known, rest = order[:summed], order[summed:]
        codes = torch.arange(2 ** len(known))[:, None] >> torch.arange(len(known))
        x = 2.0 * (codes & 1).double() - 1.0
        self.fixed = 0.5 * ((x @ j[known][:, known]) * x).sum(1) + x @ h[known]
        self.level = level + x @ slope[known]
        self.j, self.a, self.tap = j[rest][:, rest], slope[rest], tap
        self.h = (h[rest] + x @ j[known][:, rest])[:, None]
        self.j2 = self.j.square()
        self.sweeps, self.unsettled = 0, False
        stiff = float(torch.linalg.eigvalsh(self.j).abs().max()) if len(rest) else 0.0
        self.damping = max(0.0, 1.0 - 1.5 / (1.0 + stiff))  # so that no sweep overshoots
        pull = torch.sign(self.a)
        self.m = torch.stack([0.0 * pull, 0.9 * pull, -0.9 * pull]).expand(len(x), 3, len(rest))

    def log_p(self) -> Tensor:
        """log P(margin > 0): the saddlepoint's for every assignment of the summed spins."""
        zero = torch.zeros_like(self.fixed)
        rate, curve, at_zero = self._cumulants(zero)
        if self.unsettled:
            return zero.new_tensor(-math.inf)
        t, beyond = self._pull(rate, curve)
        _, curve, log_z = self._cumulants(t)
        tail = log_tail(t, log_z - at_zero, curve, rate)
        tail = torch.where(beyond, torch.where(rate > 0.0, 0.0, -math.inf).to(tail), tail)
        weight = at_zero + self.fixed
        if bool(torch.isnan(tail).any()):  # only where the reaction term drives the spins apart
            self.unsettled = True
            return zero.new_tensor(-math.inf)
        return torch.logsumexp(weight + tail, 0) - torch.logsumexp(weight, 0)

    def _pull(self, rate: Tensor, curve: Tensor) -> tuple[Tensor, Tensor]:
        """t with K'(t) = 0 for every assignment, by Newton steps between guards; and where there is
        none, as no state of the other spins brings the margin to 0."""
        reach = self.a.abs().sum()
        beyond = (self.level.abs() >= reach) | (rate == 0.0)
        low, high = torch.full_like(rate, -math.inf), torch.full_like(rate, math.inf)
        t = torch.zeros_like(rate)
        for _ in range(_NEWTON):
            low, high = torch.where(rate < 0.0, t, low), torch.where(rate < 0.0, high, t)
            most = _STEP / torch.sqrt(curve)
            new = t + torch.maximum(torch.minimum(-rate / curve, most), -most)
            middle = torch.where(torch.isfinite(low + high), 0.5 * (low + high), t)
            new = torch.where((new > low) & (new < high), new, middle)
            new = torch.where(beyond, 0.0, new)
            still = float(((new - t).abs() / new.abs().clamp(min=1.0)).max()) < 1e-9
            t = new
            if still:
                break
            rate, curve, _ = self._cumulants(t)
        return t, beyond

    def _cumulants(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """K'(t), K''(t) and log Z(t) of every assignment, each `(c,)`."""
        m = self._settled(t)
        height = self._height(m, t)
        best = height.argmax(1)
        rows = torch.arange(len(best))
        m, log_z = m[rows, best], height[rows, best] + t * self.level
        curve = self._response(m).clamp(min=1e-12)
        return m @ self.a + self.level, curve, log_z

    def _response(self, m: Tensor) -> Tensor:
        """d (a . m) / dt at maxima m `(c, r)`."""
        if not m.shape[1]:
            return m.new_zeros(len(m))
        v = 1.0 - m.square()
        rigid = torch.diag_embed(1.0 / v) - self.j
        if self.tap:
            both = self.j2 * m[:, :, None] * m[:, None, :]
            rigid = rigid + torch.diag_embed(v @ self.j2) - 2.0 * both
        moved = torch.linalg.solve(rigid, self.a.expand_as(m)[..., None])[..., 0]
        return torch.nan_to_num(moved @ self.a).clamp(min=0.0)

    def _settled(self, t: Tensor) -> Tensor:
        """Where the spins settle from each start `(c, starts, r)`."""
        m, moved = self.m, 0.0
        for _ in range(_SWEEPS):
            field = m @ self.j + self.h + t[:, None, None] * self.a
            if self.tap:
                field = field - m * ((1.0 - m.square()) @ self.j2)
            new = self.damping * m + (1.0 - self.damping) * torch.tanh(field)
            moved = float((new - m).abs().max()) if m.numel() else 0.0
            m, self.sweeps = new, self.sweeps + 1
            if moved < _STILL:
                break
        self.unsettled = not moved < _RESTLESS
        self.m = m.clamp(-1.0 + 1e-15, 1.0 - 1e-15)
        return self.m

    def _height(self, m: Tensor, t: Tensor) -> Tensor:
        """The free energy, its sign reversed, of means m `(c, starts, r)`; `(c, starts)`."""
        up, down = 0.5 * (1.0 + m), 0.5 * (1.0 - m)
        entropy = torch.special.entr(up).sum(-1) + torch.special.entr(down).sum(-1)
        energy = 0.5 * ((m @ self.j) * m).sum(-1) + (m * self.h).sum(-1) + t[:, None] * (m @ self.a)
        v = 1.0 - m.square()
        return energy + entropy + self.tap * 0.25 * ((v @ self.j2) * v).sum(-1)
