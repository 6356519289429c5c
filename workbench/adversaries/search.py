"""The state of an adversary's search, and what can be read from it."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workbench.iteration import State


@dataclass(frozen=True, kw_only=True)
class Search(State):
    """Parameters of D, the optimiser's moments, the best so far, the path."""

    theta: Tensor
    """`(p,)`: parameters of D."""
    moments: Tensor
    """`(m, p)`: the optimiser's."""
    ticks: int = 0
    """Steps that the optimiser has taken in this restart."""
    price: float = 0.0
    """lambda: nats of log P for a nat spent."""
    restart: int = 0
    scouting: bool = False
    """Whether the scout's gradient is climbed, before the estimator's own."""
    full: bool = False
    """Whether the whole limit may be spent from the first step on."""
    stale: int = 0
    """Steps at the full limit since the best got better."""
    points: Tensor
    """`(k, noise_dim)`: nearest failures in the noise of D0."""
    reference: float = math.nan
    """log P under D0 by the estimator; NaN before the first step."""
    last: int = 0
    """Forward passes of the last step."""
    best: Tensor
    """`(p,)`"""
    best_restart: int = 0
    best_value: float = -math.inf
    """Of the objective."""
    best_log_p: float = -math.inf
    best_spent: float = 0.0
    path: Tensor
    """`(n, 4)` float64: restart, spent, log P, price, a row a step."""


@dataclass(frozen=True, eq=False)
class Found:
    """Where a search stands.

    Attributes:
        theta: the best parameters so far, `(p,)`.
        log_p: log P there by the search's own estimator, in nats; not yet checked.
        spent: what D spends there, as the trust region counts.
        reference: log P under D0 by the same estimator.
        price: lambda at the last step: nats of log P for a nat spent.
        path: `(n, 4)`: restart, spent, log P, price of every step.
        forwards: passes of M so far.
        info: diagnostics, JSON-able.
    """

    theta: Tensor
    log_p: float
    spent: float
    reference: float
    price: float
    path: Tensor
    forwards: int
    info: dict[str, Any]
