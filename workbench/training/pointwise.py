"""The rule that needs no failures: log P of every point of a minibatch, from tangents and lines."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from workbench.errors import BadInput
from workbench.estimators.base import check_positive
from workbench.estimators.pieces import Event, Pieces, event_of, mislabelled
from workbench.estimators.tangents import log_p_each, paired_nodes
from workbench.math.logspace import LN10, log_sum
from workbench.specs import Polyhedral
from workbench.training.rule import Batch, Rule, sigma_of

_SILENT, _RAMP, _NETS = 0.05, 0.3, 1 << 30


@dataclass(frozen=True)
class Pointwise(Rule):
    """Cross-entropy + price * (1 / a) log mean_i max(P_i, 10^target)^a, in nats.

    P_i is P[C] under the i-th piece of D0 in the minibatch, by tangents and lines as `tangent`
    estimates it, with fresh lines every step: a network cannot learn to bend between them. The
    power mean lies between the mean of log P (a = 0), which spends itself on points that are
    safe already, and log of the mean P (a = 1), which sees the worst point alone; the maximum is a
    smooth one, so that points beyond the target rest.

    The price rises from 0 over the first third: at first there is nothing to defend.

    Args:
        price: of a nat.
        power: a, in (0, 1].
        target: log10 P_i at which a point is safe enough.
        lines: a point and clause; 0 for half-spaces (FORM), which training exploits.
        rivals: clauses a point.
        moves: of the search for tangents.
        event: "catastrophe", C under D0; or "label": an example of the task loses its class under
            the noise of D0.
    """

    price: float = 0.1
    power: float = 0.1
    target: float = -11.0
    lines: int = 8
    rivals: int = 3
    moves: int = 2
    event: str = "catastrophe"
    name: ClassVar[str] = "log P"

    def __post_init__(self) -> None:
        check_positive("pointwise", rivals=self.rivals, moves=self.moves)
        if not (self.price >= 0 and 0 < self.power <= 1 and self.target < 0 and self.lines >= 0):
            raise BadInput(
                "pointwise: price and lines are at least 0, power in (0, 1], target below 0, got "
                f"{self.price!r}, {self.lines!r}, {self.power!r}, {self.target!r}"
            )
        if self.event not in ("catastrophe", "label"):
            raise BadInput(f"pointwise: event is 'catastrophe' or 'label', got {self.event!r}")

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        error = batch.error()
        share = min(1.0, max(0.0, batch.share - _SILENT) / _RAMP)
        if not (share and self.price):
            return error, math.nan
        pieces, event = self._posed(batch)
        d, dtype = pieces.mean.shape[1], pieces.mean.dtype
        net = int(torch.randint(_NETS, (), generator=batch.rng.child("net").generator()))
        nodes = paired_nodes(self.lines, d, net, dtype)
        each, _ = log_p_each(batch.model, pieces, event, nodes, self.rivals, self.moves)
        floor = self.target * LN10
        pushed = floor + softplus(each - floor)
        size = math.log(len(each))
        mean = (log_sum(self.power * pushed) - size) / self.power
        seen = float(log_sum(each.detach()) - size) / LN10
        return error + share * self.price * mean, seen

    def _posed(self, batch: Batch) -> tuple[Pieces, Event]:
        problem = batch.duty.problem
        if self.event == "label":
            scale = torch.full_like(batch.x, sigma_of(batch.duty))
            even = batch.x.new_zeros(len(batch.x))
            return Pieces(even, batch.x, scale), mislabelled(batch.y, problem.outputs)
        pieces = batch.pieces()
        assert isinstance(problem.spec, Polyhedral)
        return pieces, event_of(problem.spec, problem.outputs, pieces.mean)

    def stricter(self) -> "Pointwise":
        """With twice the lines."""
        return replace(self, lines=max(4, 2 * self.lines))
