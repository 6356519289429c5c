"""The state of a training, and what is to be read from it."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workbench.iteration import State

ROW = ("step", "loss", "score", "log10_p", "log10_p_adversary", "price")
"""One a step, of M before it, and one of M after the last: how many steps M has behind it, task
loss on the batch, held-out score, estimates of log10 P, the price. In minibatches, loss and score
are those of the first step of the epoch."""
VERDICT = ("step", "law", "log10_p", "log10_p_referee", "err", "exploited", "rung")
"""One for D0 (law 0) and one for the adversary's D (law 1) at every turn of the referee."""


@dataclass(frozen=True, kw_only=True)
class Training(State):
    """What the next step needs: parameters `(p,)`, Adam's moments `(2, p)`, the multiplier, the
    score on training examples before the first step, the adversary's ledger `(k, 1 + q)` (step,
    parameters of D), and the tables so far."""

    theta: Tensor
    moments: Tensor
    price: float
    start: float
    met: Tensor
    rows: Tensor
    verdicts: Tensor
    ticks: int = 0
    rung: int = 0
    exploited: bool = False
    stopped: bool = False


@dataclass(frozen=True, eq=False)
class Trained:
    """How a training stands.

    Attributes:
        theta: parameters of M, `(p,)`: `Duty.put` writes them into a model.
        rows: `(n, 6)`, columns `ROW`; the last of a training that is done is of `theta`.
        verdicts: `(m, 7)`, columns `VERDICT`.
        met: `(k, 1 + q)`: the step and the parameters of every D that the adversary found.
        exploited: whether estimate and referee ever parted.
        forwards: spent on estimates and searches, in forward-equivalents.
    """

    theta: Tensor
    rows: Tensor
    verdicts: Tensor
    met: Tensor
    exploited: bool
    forwards: int

    def table(self) -> list[dict[str, Any]]:
        """A dict a row."""
        return [dict(zip(ROW, row, strict=True)) for row in self.rows.tolist()]

    def judged(self) -> list[dict[str, Any]]:
        """A dict a verdict."""
        return [dict(zip(VERDICT, row, strict=True)) for row in self.verdicts.tolist()]

    def refereed(self, law: int = 0) -> float:
        """log10 P by the referee's last word on D0 (0) or on the adversary's D (1)."""
        mine = self.verdicts[self.verdicts[:, 1] == law]
        return float(mine[-1, 3]) if len(mine) else math.nan
