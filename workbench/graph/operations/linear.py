"""Linear layers: y = W x + b."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, Feed
from workbench.graph.rules import Affine, Applied, Dense, Rule
from workbench.math import cost


@dataclass(frozen=True)
class Linear(Op):
    """y = W x + b along the last axis of x, W `(out, in)`.

    Where `turned`, code has x @ V, and the weight that is looked up is V = W^T.
    """

    weight_ref: Constant
    bias_ref: Constant | None
    turned: bool = False
    about: ClassVar[str] = "Linear"

    @property
    def weight(self) -> Tensor:
        """W."""
        return self.weight_ref.value.T if self.turned else self.weight_ref.value

    @property
    def bias(self) -> Tensor | None:
        return None if self.bias_ref is None else self.bias_ref.value

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name in ("matmul", "mm") and len(call.feeds) == 1:
            one, two = (*call.args, None)[:2]
            if not isinstance(one, Feed) or not isinstance(two, Constant) or two.value.ndim != 2:
                raise call.refuse(f"{call.name} other than x @ a matrix of the model")
            return cls(two, None, turned=True)
        if not isinstance(call.module, nn.Linear) and call.name != "linear":
            return None
        weight, bias = call.tensors(1, "weight", "bias")
        if len(call.feeds) != 1 or weight is None:
            raise call.refuse()
        return cls(weight, bias)

    def shape(self, *inputs: Shape) -> Shape:
        rows, cols = self.weight.shape
        (got,) = inputs
        if not got or got[-1] != cols:
            raise BadInput(f"takes {cols} inputs but is fed {'x'.join(map(str, got))}")
        return (*got[:-1], rows)

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self.turned:
            return inputs[0] @ self.weight_ref.value
        return F.linear(inputs[0], self.weight, self.bias)

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * self.weight.numel() * math.prod(inputs[0][:-1])

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        weight, bias = self.weight, self.bias
        if len(got) == 1:
            return Affine((Dense(weight),), bias)
        a = Applied(
            lambda x: F.linear(x, weight),
            lambda x, p: F.linear(x, weight.pow(p)),
            got,
            cost.matmul(weight.shape[0], weight.shape[1], math.prod(got[:-1])),
        )
        return Affine((a,), None if bias is None else bias.repeat(math.prod(got[:-1])))
