"""A mean of importance weights, kept as sums in log space."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from workbench.estimators.base import Estimate
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.logspace import log_plus
from workbench.math.pareto import tail_index
from workbench.types import Kind

_FEW, _HEAVY = 30.0, 0.7
_LARGEST = 1000
_ROUNDING = 1e-13


@dataclass(frozen=True, kw_only=True)
class Weighed(State):
    """How many draws were weighed, how many failed, the logs of the sums of w and w^2, and the
    largest log weights."""

    draws: int = 0
    hits: int = 0
    log_w: float = -math.inf
    log_w2: float = -math.inf
    largest: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))


S = TypeVar("S", bound=Weighed)


def weighed(state: S, log_w: Tensor, draws: int, forwards: int) -> S:
    """The state with `draws` more, of which those that failed have these log weights."""
    log_w = log_w.double()
    both = torch.cat([state.largest, log_w])
    return replace(
        state,
        draws=state.draws + draws,
        hits=state.hits + len(log_w),
        log_w=log_plus(state.log_w, log_w),
        log_w2=log_plus(state.log_w2, 2.0 * log_w),
        forwards=state.forwards + forwards,
        largest=torch.topk(both, min(_LARGEST, len(both))).values,
    )


def estimate_of(state: Weighed, kind: Kind) -> Estimate:
    """P-hat = sum w / n, its standard error by the weights' own spread, and an interval of log P.

    The error grows by m^(k - 1/2) where the weights' tail index (Pareto k) is above 1/2, m =
    sum(w)^2 / sum(w^2) the effective failures: such sums settle as m^(k - 1), and their own
    spread does not show it. The interval is Student's with m - 1 degrees of freedom, at least one.
    Warns where fewer than 30 effective failures carry the answer, or k exceeds 0.7.
    """
    n, cost = state.draws, Cost(forwards=state.forwards)
    info: dict[str, Any] = {"draws": n, "hits": state.hits}
    if state.hits == 0:
        none = torch.tensor(-math.inf, dtype=torch.float64)
        return Estimate(none, math.inf, kind, cost, (-math.inf, 0.0), info)
    log_p = state.log_w - math.log(n)
    log_p = 0.0 if abs(log_p) < _ROUNDING else log_p  # every draw failed, and weighed 1
    effective = math.exp(2.0 * state.log_w - state.log_w2)
    log_err = math.sqrt(max(0.0, 1.0 / effective - 1.0 / n))
    info["effective_failures"] = effective
    info["pareto_k"] = k = tail_index(state.largest, n)
    if 0.5 < k < math.inf:
        log_err *= effective ** (k - 0.5)
    if effective < _FEW or k > _HEAVY:
        tail = f"Pareto k {k:.2f}" if math.isfinite(k) else "too few to tell their tail"
        info["warning"] = (
            f"{effective:.1f} effective failures carry this ({tail}): it may be too low, and its "
            "error is a guess"
        )
    from scipy.special import stdtrit

    reach = float(stdtrit(max(1.0, effective - 1.0), 0.975)) * log_err
    interval = (log_p - reach, min(0.0, log_p + reach))
    log_p = min(0.0, log_p)
    return Estimate(torch.tensor(log_p, dtype=torch.float64), log_err, kind, cost, interval, info)
