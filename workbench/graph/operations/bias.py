"""Biases: y = x + c, y = x - c."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.graph.base import Op, Several, Shape
from workbench.graph.call import Call, Constant, Feed, Number, constant
from workbench.graph.operations.broadcast import spread, with_constant
from workbench.graph.operations.scale import Scale
from workbench.graph.rules import Affine, Rule


@dataclass(frozen=True)
class Bias(Op):
    """y = x + c or, where `less`, x - c; c a number, or a tensor of the model."""

    constant: Constant
    less: bool = False
    about: ClassVar[str] = "bias"

    @property
    def value(self) -> Tensor:
        """What is added."""
        return -self.constant.value if self.less else self.constant.value

    @classmethod
    def read(cls, call: Call) -> Op | Several | None:
        if call.name not in ("add", "sub") or len(call.feeds) != 1:
            return None
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        less = call.name == "sub"
        one, two = call.args
        c = constant(two if isinstance(one, Feed) else one)
        if c is None:
            raise call.refuse()
        if less and isinstance(two, Feed):  # c - x
            return Several(((Scale(Number(-1.0)), (0,)), (cls(c), (1,))))
        return cls(c, less)

    def shape(self, *inputs: Shape) -> Shape:
        return with_constant("adds", inputs[0], self.value)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] + self.value

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(self.shape(*inputs)))

    def rule(self, *inputs: Shape) -> Rule:
        out, value = self.shape(*inputs), self.value
        value = value.reshape(()) if value.numel() == 1 else value.expand(1, *out).reshape(-1)
        return Affine((spread(inputs[0], out),), value)
