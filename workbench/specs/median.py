"""Whether a model says the median of its inputs."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_number
from workbench.math.order import middle
from workbench.specs.base import Ranked


@dataclass(frozen=True, eq=False)
class Median(Ranked):
    """y is nearer than `within` to the median of x, or is not.

    margin = within - |y - median(x)|  ("near"),
    margin = |y - median(x)| - within  ("far").

    P of "near" is the accuracy of a network that is to say the median; of an even number of inputs
    it is the mean of the two middle ones.

    Args:
        within: in units of x.
        event: "near" or "far".

    >>> import torch
    >>> Median(0.5).margin(torch.tensor([[0.0, 4.0, 1.0]]), torch.tensor([[1.25]]))
    tensor([0.2500])
    """

    within: float = 0.1
    event: Literal["near", "far"] = "near"
    name: ClassVar[str] = "median"

    def __post_init__(self) -> None:
        if self.event not in ("near", "far"):
            raise BadInput(f"the event of a median must be 'near' or 'far', got {self.event!r}")
        check_number("how near a median is", self.within)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        off = (y[:, 0] - middle(x)).abs()
        return self.within - off if self.event == "near" else off - self.within

    def check(self, outputs: int) -> None:
        if outputs != 1:
            raise BadInput(f"a model that says the median has one output, got {outputs}")

    def shift(self, tau: float) -> "Median":
        return replace(self, within=self.within + (tau if self.event == "far" else -tau))

    def __invert__(self) -> "Median":
        return replace(self, event="far" if self.event == "near" else "near")
