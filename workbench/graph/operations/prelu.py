"""PReLU: a leaky ReLU whose slopes are weights, relu(x) + w (x - relu(x))."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Op, Shape, Step
from workbench.graph.call import Call, Constant
from workbench.graph.operations.broadcast import by_channel
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.sums import Add, Subtract
from workbench.graph.rules import Affine, Diagonal, Rule
from workbench.math.activations import ReLU


@dataclass(frozen=True)
class PerChannel(Op):
    """y = w x, one weight in all or one for each entry of the first axis."""

    weight: Constant
    about: ClassVar[str] = "weights by channel"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        n = self.weight.value.numel()
        if n not in (1, got[0]):
            raise BadInput(f"has {n} slopes but is fed {got}")
        return got

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return x * self.weight.value.reshape(-1, *(1,) * (x.ndim - 2))

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        w = self.weight.value.reshape(-1).expand(got[0])
        return Affine((Diagonal(by_channel(w, got)),))


@dataclass(frozen=True)
class PReLU(Composite):
    """y = x above 0, w x below; w a weight in all or one a channel."""

    weight: Constant
    about: ClassVar[str] = "PReLU"

    @classmethod
    def read(cls, call: Call) -> "PReLU | None":
        if not isinstance(call.module, nn.PReLU) and call.name != "prelu":
            return None
        (weight,) = call.tensors(1, "weight")
        if weight is None or len(call.feeds) != 1:
            raise call.refuse()
        return cls(weight)

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        return (
            (Elementwise(ReLU()), (0,)),
            (Subtract(), (0, 1)),
            (PerChannel(self.weight), (2,)),
            (Add(), (1, 3)),
        )
