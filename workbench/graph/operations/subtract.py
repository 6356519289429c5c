"""Differences: y = x1 - x2."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.rules import Affine, Identity, Negative, Rule


@dataclass(frozen=True)
class Subtract(Op):
    """y = one value less another."""

    about: ClassVar[str] = "differences of two values"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name not in ("sub", "sub_", "subtract") or len(call.feeds) != 2:
            return None
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        return cls()

    def shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise BadInput(f"subtracts values of shapes {list(inputs)}")
        return inputs[0]

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] - inputs[1]

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((Identity(), Negative()))
