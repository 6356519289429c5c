"""Values one after the other."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Several, Shape, Step
from workbench.graph.call import Call, Feed
from workbench.graph.operations.rearranging import is_int
from workbench.graph.operations.reshape import Axes
from workbench.graph.rules import Affine, Rule, selecting


@dataclass(frozen=True)
class Cat(Op):
    """y = values one after the other along an axis, counted with the batch axis."""

    axis: int
    about: ClassVar[str] = "cat"

    @classmethod
    def read(cls, call: Call) -> "Op | Several | None":
        if call.name not in ("cat", "stack", "hstack"):
            return None
        parts: Any = call.args[0] if call.args else None
        axis = 1 if call.name == "hstack" else call.argument(1, "dim", 0)
        fed = isinstance(parts, list | tuple) and all(type(p) is Feed for p in parts)
        if not fed or len(call.feeds) != len(parts) or not is_int(axis):
            raise call.refuse(f"{call.name} of other than values that depend on the input")
        if axis == 0:
            raise call.refuse(f"{call.name} along the batch axis")
        if call.name != "stack":
            return cls(axis)
        n = len(parts)
        raised: list[Step] = [(Axes("unsqueeze", (axis,)), (k,)) for k in range(n)]
        return Several((*raised, (cls(axis), tuple(range(n, 2 * n)))))

    def place(self, axes: int) -> int:
        """The axis of values of so many, without the batch axis, from 0 on."""
        place = self.axis - 1 if self.axis > 0 else axes + self.axis
        if not 0 <= place < axes:
            raise BadInput(f"joins values along axis {self.axis} of {axes + 1}")
        return place

    def shape(self, *inputs: Shape) -> Shape:
        place = self.place(len(inputs[0]))
        rest = {(*s[:place], *s[place + 1 :]) for s in inputs}
        if len(rest) != 1 or len({len(s) for s in inputs}) != 1:
            raise BadInput(f"joins values of shapes {list(inputs)} along axis {self.axis}")
        first = inputs[0]
        return (*first[:place], sum(s[place] for s in inputs), *first[place + 1 :])

    def __call__(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, 1 + self.place(inputs[0].ndim - 1))

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        place, whole = self.place(len(inputs[0])), self.shape(*inputs)
        maps, before = [], 0
        for got in inputs:
            after = whole[place] - before - got[place]
            around = (*(0, 0) * (len(got) - place - 1), before, after)
            maps.append(selecting(lambda x, around=around: F.pad(x, around), got))
            before += got[place]
        return Affine(tuple(maps))
