"""Linear layers: y = W x + b."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant
from workbench.graph.rules import Affine, Dense, Rule


@dataclass(frozen=True)
class Linear(Op):
    """y = W x + b, W `(out, in)`."""

    weight_ref: Constant
    bias_ref: Constant | None
    about: ClassVar[str] = "Linear"

    @property
    def weight(self) -> Tensor:
        return self.weight_ref.value

    @property
    def bias(self) -> Tensor | None:
        return None if self.bias_ref is None else self.bias_ref.value

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if not isinstance(call.module, nn.Linear) and call.name != "linear":
            return None
        weight, bias = call.tensors(1, "weight", "bias")
        if len(call.feeds) != 1 or weight is None:
            raise call.refuse()
        return cls(weight, bias)

    def shape(self, *inputs: Shape) -> Shape:
        rows, cols = self.weight.shape
        (got,) = inputs
        if got != (cols,):
            raise BadInput(f"takes {cols} inputs but is fed {'x'.join(map(str, got))}")
        return (rows,)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return F.linear(inputs[0], self.weight, self.bias)

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * self.weight.numel()

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((Dense(self.weight),), self.bias)
