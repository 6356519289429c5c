"""Cards of what weighs the entries along an axis against one another."""

from typing import Any, Literal, Self

from pydantic import Field
from torch import nn

from workbench import graph as graphs
from workbench.models import Greatest, Least, LogSumExp
from workbench.problem.nodes.base import Axis, Making, Node, Writing


class GreatestCard(Node[graphs.Greatest]):
    """The greatest or the least entries along an axis, counted without the batch axis."""

    writes = (graphs.Greatest,)

    op: Literal["greatest", "least"]
    axis: Axis
    keep: bool = Field(description="whether the axis stays, of length 1")

    @classmethod
    def written(cls, op: graphs.Greatest, at: Writing) -> Self:
        name = "least" if op.least else "greatest"
        return cls(inputs=at.inputs, op=name, axis=op.place(at.shapes[0]), keep=op.keep)

    def made(self, at: Making) -> nn.Module:
        return (Least if self.op == "least" else Greatest)(self.axis, self.keep)


class SoftmaxCard(Node[graphs.Softmax | graphs.LogSoftmax]):
    """exp(x) over its sum along an axis, counted without the batch axis, or the log of that."""

    writes = (graphs.Softmax, graphs.LogSoftmax)

    op: Literal["softmax", "log_softmax"]
    axis: Axis

    @classmethod
    def written(cls, op: graphs.Softmax | graphs.LogSoftmax, at: Writing) -> Self:
        name = "softmax" if isinstance(op, graphs.Softmax) else "log_softmax"
        return cls(inputs=at.inputs, op=name, axis=op.place(at.shapes[0]))

    def made(self, at: Making) -> nn.Module:
        kind: Any = nn.Softmax if self.op == "softmax" else nn.LogSoftmax
        return kind(self.axis + 1)


class LogSumExpCard(Node[graphs.LogSumExp]):
    """log of the sum of exp(x) along an axis, counted without the batch axis."""

    writes = (graphs.LogSumExp,)

    op: Literal["logsumexp"] = "logsumexp"
    axis: Axis
    keep: bool = Field(description="whether the axis stays, of length 1")

    @classmethod
    def written(cls, op: graphs.LogSumExp, at: Writing) -> Self:
        return cls(inputs=at.inputs, axis=op.place(at.shapes[0]), keep=op.keep)

    def made(self, at: Making) -> nn.Module:
        return LogSumExp(self.axis, self.keep)
