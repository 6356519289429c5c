"""P under a distribution that is recognised but cannot be sampled, as a ratio on its base."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from workbench.distributions import Recognised, ShortText, widened
from workbench.errors import BadInput, NotConverged
from workbench.estimators.base import Estimate, Estimator, Needs
from workbench.estimators.conditioned import Conditioned
from workbench.estimators.cubature import Cubature
from workbench.estimators.design_point import DesignPoint
from workbench.estimators.importance import Importance
from workbench.estimators.moments import Moments
from workbench.estimators.orthant import Orthant
from workbench.estimators.transitions import Transitions
from workbench.iteration import Budget, State
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.logspace import LN10
from workbench.models import Beside
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import And, Spec, Trusted, widen
from workbench.types import Grad, Kind, Pace

BY: dict[str, Estimator] = {
    e.name: e
    for e in (
        Conditioned(search="fitted"), Moments(), DesignPoint(), Cubature(), Orthant(), Importance(),
        Transitions(),
    )
}  # fmt: skip
"""What may serve numerator and denominator; `importance` alone draws, of the base."""
_UNSURE = 0.3  # digits
_MANY = 10**9


@dataclass(frozen=True, kw_only=True)
class RatioState(State):
    """Both answers once the one step is done, in nats; errors in digits, -1 where none is told."""

    numerator: Tensor
    denominator: Tensor
    errors: Tensor
    flops: float = 0.0
    warning: str = ""
    by: str = ""
    presumed: int = 1
    """The modulus modulo which text was presumed uniform, whatever else is known of it."""
    done: bool = False


@dataclass(frozen=True)
class Ratio(Estimator):
    """P_D[C] = P(r > 0 and s > 0) / P(r > 0): two estimates on the base of D, no sample of D.

    D is a base restricted by a recogniser r, or weighted by Phi(r / c), which is restricting it by
    r + c z > 0 with one more Gaussian coordinate z. The numerator's margin is min(s, r), M and the
    recogniser read as one network, so that what the two share (directions, features, neurons)
    enters the joint law; presuming them independent would be to answer P(s > 0) under the base.
    Each part is a deterministic estimate on the base. Where lines differ much, as they do on random
    narrow networks and where r and s are large in different directions, "conditioned" starts from
    the points where both events are likeliest at once and fits Gaussians to the failures by
    gradients. The parts' errors, as far as they tell them, add in squares; the gradient is the
    difference of theirs, in parameters of the base, of M and of C. The recogniser stays as it is.

    Args:
        by: the estimator of both parts: "auto" ("transitions" on text of a short-sighted language
            model, elsewhere "conditioned"), "conditioned", "moments", "design_point", the exact
            "cubature" (one or two dimensions) and "orthant" (affine M and recogniser), or
            "importance", which draws from the base, never from D.

    Raises:
        NotConverged: where the recogniser never fires, as far as the estimator can see.

    >>> import torch, workbench as wb
    >>> base = wb.Gaussian(torch.zeros(2).double(), torch.ones(2).double())
    >>> first, second = (torch.eye(2)[k : k + 1].double() for k in (0, 1))
    >>> M, r = (wb.models.dense(row) for row in (first, second))
    >>> D = wb.Conditional(base, r, wb.Halfspace(torch.ones(1).double(), -4.0))
    >>> C = wb.Halfspace(torch.ones(1).double(), -5.0)
    >>> round(Ratio(by="orthant")(wb.Problem(D, M, C)).log10_p, 4)  # independent: log10 Phi(-5)
    -6.5426
    """

    by: str = "auto"
    name: ClassVar[str] = "ratio"
    kind: ClassVar[Kind] = Kind.HEURISTIC
    grad: ClassVar[Grad] = Grad.IMPLICIT
    needs: ClassVar[Needs] = Needs((Recognised,))
    pace: ClassVar[Pace] = Pace.AT_REST
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"by": ("auto", *BY)}

    def __post_init__(self) -> None:
        known = self.choices["by"]
        if self.by not in known:
            raise BadInput(f"unknown estimator {self.by!r}: use one of {', '.join(known)}")

    def init(self, problem: Problem, rng: Rng) -> RatioState:
        zero = torch.zeros((), dtype=problem.distribution.dtype)
        nothing = torch.full((2,), -1.0, dtype=torch.float64)
        return RatioState(rng=rng, numerator=zero, denominator=zero, errors=nothing)

    def step(self, problem: Problem, state: RatioState) -> RatioState:
        above, below = parts_of(problem)
        text = isinstance(above.distribution, ShortText)
        by = ("transitions" if text else "conditioned") if self.by == "auto" else self.by
        estimator = BY[by]
        found: list[Estimate] = []
        for part, share in ((below, 0.5), (above, 1.0)):
            price = part.flops_per_forward / max(1.0, problem.flops_per_forward)
            left = share * state.left / max(price, 1e-12)
            allowed = _MANY if math.isinf(left) else max(1, math.floor(left))
            estimate = estimator(part, Budget(allowed), state.rng.child(part.name))
            spent = forward_equivalents(estimate.cost.flops, problem.flops_per_forward)
            if spent <= state.left:
                state = replace(state, forwards=state.forwards + spent)
            state = replace(state, flops=state.flops + estimate.cost.flops)
            found.append(estimate)
        told = [
            f"{what}: {e.warning}"
            for what, e in zip(("the recogniser's part", "the joint part"), found, strict=True)
            if e.warning
        ]
        if any(e.log_err == math.inf for e in found):
            raise NotConverged(f"ratio: {by} has no answer within {state.left:,} forwards")
        below_p, above_p = (e.log_p for e in found)
        if not bool(torch.isfinite(below_p)):
            raise NotConverged(
                f"ratio: {by} finds no input of the base that the recogniser accepts, so "
                "nothing can be said of D"
            )
        return replace(
            state, numerator=above_p, denominator=below_p, warning="; ".join(told),
            by=by, presumed=int(found[1].info.get("presumed_modulus", 1)),
            errors=torch.tensor([_error(e) for e in found[::-1]], dtype=torch.float64), done=True,
        )  # fmt: skip

    def read(self, state: RatioState) -> Estimate:
        above, below = state.numerator, state.denominator
        cost = Cost(forwards=state.forwards, flops=0.0 if state.forwards else state.flops)
        log_p = torch.clamp(above - below, max=0.0)
        info: dict[str, Any] = {
            "by": state.by,
            "log10_p_both": float(above.detach()) / LN10,
            "log10_p_recognised": float(below.detach()) / LN10,
        }
        if state.presumed > 1:
            info["presumed_modulus"] = state.presumed
        warning = state.warning
        if bool((state.errors >= 0).all()):
            digits = float(state.errors.square().sum().sqrt())
            info["spread_digits"] = digits
            if digits > _UNSURE and not warning:
                warning = f"the two parts together may be off by {digits:.1f} digits"
        if warning:
            info["warning"] = warning
        return Estimate(log_p, None, self.kind, cost, info=info)

    def finished(self, state: RatioState) -> bool:
        return state.done


def parts_of(problem: Problem) -> tuple[Problem, Problem]:
    """(r > 0 and s > 0) and (r > 0), both under the base of D; with r + c z where r is soft."""
    d = problem.distribution
    assert isinstance(d, Recognised)
    base, network, event = d.parts()
    model, spec = problem.stated
    if d.softness > 0.0:
        base, event = widened(base), widen(cast(Spec, event), d.softness)
        network = Beside(network, d.dim, 1, d.dtype)
        model, spec = Beside(problem.model, d.dim, 1, d.dtype), widen(problem.spec)
    recogniser = Trusted(network, cast(Spec, event), reads="inputs")
    both = Problem(base, model, And((spec, recogniser)), name="both")
    return both, Problem(base, recogniser.network, recogniser.inner, name="recognised")


def _error(estimate: Estimate) -> float:
    """In digits; below 0 where the estimate tells none."""
    if estimate.log_err is not None:
        return estimate.log_err / LN10
    return float(estimate.info.get("spread_digits", -1.0))
