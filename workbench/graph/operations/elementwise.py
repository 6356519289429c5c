"""Activation functions: y = f(x), f a row of `math.activations`."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Ref
from workbench.graph.rules import Pointwise, Rule
from workbench.math.activations import ACTIVATIONS, activation


@dataclass(frozen=True)
class Elementwise(Op):
    """y = f(x), f a row of `math.activations`."""

    activation: str
    about: ClassVar[str] = "ReLU, GELU, tanh, sign, Heaviside"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.ReLU():
                return cls("relu")
            case nn.Tanh():
                return cls("tanh")
            case nn.GELU(approximate="none"):
                return cls("gelu")
            case nn.GELU(approximate=how):
                raise call.refuse(f"GELU(approximate={how!r})")
        name = call.name.rstrip("_")
        if name not in ACTIVATIONS:
            return None
        if len(call.feeds) != 1 or call.kwargs.get("approximate", "none") != "none":
            raise call.refuse()
        if name == "heaviside":
            at_zero = call.argument(1, "values")
            if not isinstance(at_zero, Ref) or bool(at_zero.value.any()):
                raise call.refuse("heaviside that is not 0 at 0")
        return cls(name)

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def __call__(self, *inputs: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](inputs[0])

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        return Pointwise(activation(self.activation))
