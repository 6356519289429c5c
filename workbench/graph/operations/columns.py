"""A run of entries of a vector: y = x[:, start:stop]."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Feed
from workbench.graph.rules import Affine, Applied, Rule


@dataclass(frozen=True)
class Columns(Op):
    """y = entries start, ..., stop - 1 of a vector; the batch axis is kept whole."""

    start: int
    stop: int
    about: ClassVar[str] = "x[:, start:stop]"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name != "getitem" or len(call.args) != 2 or not isinstance(call.args[0], Feed):
            return None
        match call.args[1]:
            case (slice(start=None, stop=None, step=None), slice() as run):
                start, stop, step = run.start or 0, run.stop, run.step
                ends = isinstance(start, int) and isinstance(stop, int)
                if ends and 0 <= start < stop and step in (None, 1):
                    return cls(start, stop)
        raise call.refuse("indexing other than x[:, start:stop] with 0 <= start < stop")

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if len(got) != 1 or got[0] < self.stop:
            raise BadInput(f"takes entries {self.start} to {self.stop - 1} of a value of {got}")
        return (self.stop - self.start,)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0][:, self.start : self.stop]

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((Applied(self.__call__, lambda x, p: self(x), inputs[0], 0.0),))

    def matrix(self, width: int) -> Tensor:
        """The same as a matrix on vectors of this width, `(stop - start, width)`."""
        return torch.eye(width)[self.start : self.stop]
