"""Whether a model points at the right one of its own inputs."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_number
from workbench.math.order import lead, position
from workbench.specs.base import Ranked


@dataclass(frozen=True, eq=False)
class Points(Ranked):
    """y's greatest entry stands where the value of a given rank stands in x, or does not.

    With i the position of that value,
    margin = y_i - max_{k != i} y_k - by  ("right"),
    margin = max_{k != i} y_k - y_i - by  ("wrong").

    P of "right" is the accuracy of a network that is to find the largest number of a sequence
    (rank 0), the second largest (1), or the middle one; a tie is neither right nor wrong.

    Args:
        rank: 0 is the largest.
        event: "right" or "wrong".
        by: how far, in logits.
    """

    rank: int = 0
    event: Literal["right", "wrong"] = "right"
    by: float = 0.0
    name: ClassVar[str] = "points"

    def __post_init__(self) -> None:
        if self.event not in ("right", "wrong"):
            raise BadInput(
                f"the event of a pointing must be 'right' or 'wrong', got {self.event!r}"
            )
        if isinstance(self.rank, bool) or not isinstance(self.rank, int) or self.rank < 0:
            raise BadInput(f"the rank of a pointing must be an integer from 0, got {self.rank!r}")
        check_number("how far a pointing is right or wrong", self.by)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        if x.shape != y.shape:
            raise BadInput(
                f"a model that points has an output for each of its {x.shape[1]} inputs, "
                f"got {y.shape[1]}"
            )
        gap = lead(y, position(x, self.rank))
        return (gap if self.event == "right" else -gap) - self.by

    def check(self, outputs: int) -> None:
        if outputs < 2 or self.rank >= outputs:
            raise BadInput(
                f"pointing at rank {self.rank} needs a model with more outputs than that and two "
                f"or more, got {outputs}"
            )

    def shift(self, tau: float) -> "Points":
        return replace(self, by=self.by + tau)

    def __invert__(self) -> "Points":
        return Points(self.rank, "wrong" if self.event == "right" else "right", -self.by)
