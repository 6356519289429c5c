"""Events about the class that a model picks."""

import operator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_number
from workbench.specs.base import Halfspaces, Polyhedral


@dataclass(frozen=True, eq=False)
class Argmax(Polyhedral):
    """The class `label` loses to some other class, or wins against all of them.

    margin = max_{k != label} y_k - y_label - by  ("loses"),
    margin = y_label - max_{k != label} y_k - by  ("wins").

    Args:
        label: the class, from 0.
        event: "loses" (the true class is not predicted) or "wins" (a forbidden class is).
        by: how far, in logits.
    """

    label: int
    event: Literal["loses", "wins"] = "loses"
    by: float = 0.0
    name: ClassVar[str] = "argmax"

    def __post_init__(self) -> None:
        if self.event not in ("loses", "wins"):
            raise BadInput(f"the event of an argmax must be 'loses' or 'wins', got {self.event!r}")
        try:
            label = -1 if isinstance(self.label, bool) else operator.index(self.label)
        except TypeError:
            label = -1
        if label < 0:
            raise BadInput(f"the label of an argmax must be an integer from 0, got {self.label!r}")
        object.__setattr__(self, "label", label)  # a number of numpy's or torch's may be given
        check_number("how far a class loses or wins", self.by)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        own = y[:, self.label]
        best = torch.cat([y[:, : self.label], y[:, self.label + 1 :]], dim=1).amax(1)
        gap = best - own if self.event == "loses" else own - best
        return gap - self.by

    def check(self, outputs: int) -> None:
        if outputs < 2:
            raise BadInput(f"an argmax needs a model with at least two outputs, got {outputs}")
        if self.label >= outputs:
            raise BadInput(
                f"the argmax is about class {self.label}, the model has {outputs} classes"
            )

    def shift(self, tau: float) -> "Argmax":
        return Argmax(self.label, self.event, self.by + tau)

    def __invert__(self) -> "Argmax":
        return Argmax(self.label, "wins" if self.event == "loses" else "loses", -self.by)

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        rivals = [k for k in range(outputs) if k != self.label]
        sign = 1.0 if self.event == "loses" else -1.0
        a = sign * torch.eye(outputs, dtype=like.dtype, device=like.device)[rivals]
        a[:, self.label] = -sign
        b = torch.full((len(rivals),), -self.by, dtype=like.dtype, device=like.device)
        rows = range(len(rivals))
        clauses = tuple((i,) for i in rows) if self.event == "loses" else (tuple(rows),)
        return Halfspaces(a, b, clauses)
