"""Whether a model tells how long the longest cycle of a function is."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_number
from workbench.math.cycles import longest_cycle
from workbench.math.order import lead
from workbench.specs.base import Spec


@dataclass(frozen=True, eq=False)
class LongestCycle(Spec):
    """y's greatest entry stands at k - 1, k the length of the longest cycle of i -> x_i, or not.

    x are n tokens, a function of {0, ..., n - 1} to itself; y has n entries; with i = k - 1,
    margin = y_i - max_{j != i} y_j - by  ("right"),
    margin = max_{j != i} y_j - y_i - by  ("wrong").
    P of "right" is the accuracy of a network that is to tell the length.

    Args:
        event: "right" or "wrong".
        by: how far, in logits.
    """

    event: Literal["right", "wrong"] = "right"
    by: float = 0.0
    name: ClassVar[str] = "longest_cycle"

    def __post_init__(self) -> None:
        if self.event not in ("right", "wrong"):
            raise BadInput(f"the event of a cycle must be 'right' or 'wrong', got {self.event!r}")
        check_number("how far a cycle is right or wrong", self.by)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        n = x.shape[1]
        f = x.argmax(2) if x.ndim == 3 else x.long()  # soft tokens: the most likely function
        if y.shape[1] != n or bool((f < 0).any()) or bool((f >= n).any()):
            raise BadInput(
                f"a function of n places needs n tokens from 0 to n - 1 and n outputs, got {n} "
                f"from {int(f.min())} to {int(f.max())} and {y.shape[1]}"
            )
        gap = lead(y, longest_cycle(f) - 1)
        return (gap if self.event == "right" else -gap) - self.by

    def check(self, outputs: int) -> None:
        if outputs < 2:
            raise BadInput(f"a longest cycle needs a model with two outputs or more, got {outputs}")

    def shift(self, tau: float) -> "LongestCycle":
        return replace(self, by=self.by + tau)

    def __invert__(self) -> "LongestCycle":
        return LongestCycle("wrong" if self.event == "right" else "right", -self.by)
