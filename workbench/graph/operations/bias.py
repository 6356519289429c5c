"""Biases: y = x + c."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Feed, Ref
from workbench.graph.rules import Affine, Identity, Rule


@dataclass(frozen=True)
class Bias(Op):
    """y = x + c, c a tensor of the model that broadcasts to x."""

    value_ref: Ref
    about: ClassVar[str] = "bias"

    @property
    def value(self) -> Tensor:
        return self.value_ref.value

    @classmethod
    def read(cls, call: Call) -> Op | None:
        kinds = {type(a) for a in call.args}
        if call.name not in ("add", "add_") or kinds != {Feed, Ref} or len(call.args) != 2:
            return None
        if call.kwargs:
            raise call.refuse()
        (value,) = (a for a in call.args if isinstance(a, Ref))
        return cls(value)

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if not _broadcasts(tuple(self.value.shape), got):
            raise BadInput(f"adds {tuple(self.value.shape)} to {math.prod(got)} values")
        return got

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] + self.value

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        if self.value.numel() == 1:
            return Affine((Identity(),), self.value.reshape(-1))
        return Affine((Identity(),), self.value.expand(1, *got).reshape(-1))


def _broadcasts(value: Shape, to: Shape) -> bool:
    try:
        return torch.broadcast_shapes(value, (1, *to)) == (1, *to)
    except RuntimeError:
        return False
