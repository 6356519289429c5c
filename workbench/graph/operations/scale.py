"""Factors: y = c x, y = x / c, y = -x."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, Feed, Number, constant
from workbench.graph.operations.broadcast import spread, with_constant
from workbench.graph.rules import Affine, Diagonal, Identity, Rule


@dataclass(frozen=True)
class Scale(Op):
    """y = x * c or, where `divides`, x / c; c a number, or a tensor of the model."""

    constant: Constant
    divides: bool = False
    about: ClassVar[str] = "factors"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name not in ("mul", "div", "neg") or len(call.feeds) != 1:
            return None
        if call.name == "neg":
            return cls(Number(-1.0))
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        one, two = call.args
        c = constant(two if isinstance(one, Feed) else one)
        if c is None:
            raise call.refuse()
        if call.name == "div" and isinstance(two, Feed):
            raise call.refuse("division by a value that depends on the input")
        return cls(c, call.name == "div")

    def shape(self, *inputs: Shape) -> Shape:
        return with_constant("multiplies", inputs[0], self.constant.value)

    def __call__(self, *inputs: Tensor) -> Tensor:
        value = self.constant.value
        return inputs[0] / value if self.divides else inputs[0] * value

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(self.shape(*inputs)))

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        out, c = self.shape(got), self.constant.value
        c = 1.0 / c if self.divides else c
        c = c.reshape(()) if c.numel() == 1 else c.expand(1, *out).reshape(-1)
        repeated = spread(got, out)
        if isinstance(repeated, Identity):
            return Affine((Diagonal(c),))
        return Affine((repeated.times(c),))
