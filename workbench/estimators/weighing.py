"""A mean of importance weights, kept as sums in log space."""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from workbench.estimators.base import Estimate
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import TWO_SIDED_95
from workbench.math.logspace import log_plus
from workbench.types import Kind

_FEW = 30.0
_ROUNDING = 1e-13


@dataclass(frozen=True, kw_only=True)
class Weighed(State):
    """How many draws were weighed, how many failed, and the logs of the sums of w and w^2."""

    draws: int = 0
    hits: int = 0
    log_w: float = -math.inf
    log_w2: float = -math.inf


S = TypeVar("S", bound=Weighed)


def weighed(state: S, log_w: Tensor, draws: int, forwards: int) -> S:
    """The state with `draws` more, of which those that failed have these log weights."""
    log_w = log_w.double()
    return replace(
        state,
        draws=state.draws + draws,
        hits=state.hits + len(log_w),
        log_w=log_plus(state.log_w, log_w),
        log_w2=log_plus(state.log_w2, 2.0 * log_w),
        forwards=state.forwards + forwards,
    )


def estimate_of(state: Weighed, kind: Kind) -> Estimate:
    """P-hat = sum w / n, its standard error by the weights' own spread, and a normal interval of
    log P.

    Warns where fewer than 30 effective failures carry it: sum(w)^2 / sum(w^2).
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
    if effective < _FEW:
        info["warning"] = f"{effective:.1f} effective failures carry this: its error is a guess"
    interval = (log_p - TWO_SIDED_95 * log_err, min(0.0, log_p + TWO_SIDED_95 * log_err))
    log_p = min(0.0, log_p)
    return Estimate(torch.tensor(log_p, dtype=torch.float64), log_err, kind, cost, interval, info)
