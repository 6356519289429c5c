"""Cards of a matrix, a bias and factors."""

from typing import Literal, Self

from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import Divided, Multiplied, Scaled, Shift, dense
from workbench.problem.nodes.base import Fixed, Key, Making, Node, Writing


class LinearCard(Node[graphs.Linear]):
    """y = W x + b along the last axis of x."""

    writes = (graphs.Linear,)

    op: Literal["linear"] = "linear"
    weight: Key
    bias: Key | None = None

    @classmethod
    def written(cls, op: graphs.Linear, at: Writing) -> Self | None:
        if op.turned:
            return None
        bias = at.kept("bias", op.bias)
        return cls(inputs=at.inputs, bias=bias, weight=at.put("weight", op.weight))

    def made(self, at: Making) -> nn.Module:
        weight = at.get(self.weight)
        if weight.ndim != 2:
            raise BadInput(f"the weight of node {at.number} must have shape (out, in), "
                           f"got {tuple(weight.shape)}")  # fmt: skip
        return dense(weight, at.optional(self.bias))


class MatmulCard(Node[graphs.Linear]):
    """y = x @ value along the last axis of x."""

    writes = (graphs.Linear,)

    op: Literal["matmul"] = "matmul"
    value: Key
    fixed: Fixed = None

    @classmethod
    def written(cls, op: graphs.Linear, at: Writing) -> Self | None:
        if not op.turned:
            return None
        value = at.put("value", op.weight_ref.value)
        return cls(inputs=at.inputs, value=value, fixed=at.fixed(op.weight_ref))

    def made(self, at: Making) -> nn.Module:
        value = at.get(self.value)
        if value.ndim != 2:
            raise BadInput(
                f"the value of node {at.number} must be a matrix, got {tuple(value.shape)}"
            )
        return Multiplied(value, bool(self.fixed))


class BiasCard(Node[graphs.Bias]):
    """y = x + value; value of x's shape, or repeated along its axes of length 1."""

    writes = (graphs.Bias,)

    op: Literal["bias"] = "bias"
    value: Key
    fixed: Fixed = None

    @classmethod
    def written(cls, op: graphs.Bias, at: Writing) -> Self:
        value = at.put("value", op.value)
        return cls(inputs=at.inputs, value=value, fixed=at.fixed(op.constant))

    def made(self, at: Making) -> nn.Module:
        return Shift(at.get(self.value), bool(self.fixed))


class ScaleCard(Node[graphs.Scale]):
    """y = x * value or x / value; value as in a bias."""

    writes = (graphs.Scale,)

    op: Literal["scale", "divide"]
    value: Key
    fixed: Fixed = None

    @classmethod
    def written(cls, op: graphs.Scale, at: Writing) -> Self:
        name = "divide" if op.divides else "scale"
        value = at.put("value", op.constant.value)
        return cls(inputs=at.inputs, op=name, value=value, fixed=at.fixed(op.constant))

    def made(self, at: Making) -> nn.Module:
        value, divides = at.get(self.value), self.op == "divide"
        if divides and not bool(value.all()):
            raise BadInput(f"node {at.number} divides by 0")
        return (Divided if divides else Scaled)(value, bool(self.fixed))
