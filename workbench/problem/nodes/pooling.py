"""Cards of means, sums and maxima over windows and axes."""

from typing import Any, Literal, Self

from pydantic import Field
from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import Mean, Total
from workbench.problem.nodes.base import Axes, Making, Node, Per, Place, Size, Writing


class AdaptivePoolCard(Node[graphs.AdaptivePool]):
    """Means over windows of the last one or two axes of x, as many along each as stated."""

    writes = (graphs.AdaptivePool,)

    op: Literal["adaptive_avg_pool"] = "adaptive_avg_pool"
    to: Per

    @classmethod
    def written(cls, op: graphs.AdaptivePool, at: Writing) -> Self:
        return cls(inputs=at.inputs, to=list(op.sizes(at.shapes[0])))

    def made(self, at: Making) -> nn.Module:
        adapt: Any = nn.AdaptiveAvgPool1d if len(self.to) == 1 else nn.AdaptiveAvgPool2d
        return adapt(tuple(self.to))


class AvgPoolCard(Node[graphs.AvgPool]):
    """Means over windows of the last one or two axes of x `(channels, ...)`."""

    writes = (graphs.AvgPool,)

    op: Literal["avg_pool"] = "avg_pool"
    kernel: Per
    stride: Per
    padding: list[Place] | None = Field(default=None, min_length=1, max_length=2)
    ceil: Literal[True] | None = Field(default=None, description="where a window may end beyond x")
    whole: Literal[False] | None = Field(default=None, description="where padding does not count")
    divisor: Size | None = Field(default=None, description="of sums, instead of a count")

    @classmethod
    def written(cls, op: graphs.AvgPool, at: Writing) -> Self:
        return cls(
            inputs=at.inputs, kernel=list(op.kernel), stride=list(op.stride),
            padding=list(op.padding) if any(op.padding) else None,
            ceil=True if op.ceil else None,
            whole=False if any(op.padding) and not op.whole else None,
            divisor=op.divisor,
        )  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        padding = self.padding or [0] * len(self.kernel)
        if len({len(self.kernel), len(self.stride), len(padding)}) != 1:
            raise BadInput(f"kernel, stride and padding of node {at.number} must be of one length")
        pool: Any = nn.AvgPool1d if len(self.kernel) == 1 else nn.AvgPool2d
        more = () if self.divisor is None else (self.divisor,)
        if more and pool is nn.AvgPool1d:
            raise BadInput(f"node {at.number} has a divisor, which means over two axes alone take")
        sizes = [tuple(v) for v in (self.kernel, self.stride, padding)]
        return pool(*sizes, bool(self.ceil), self.whole is not False, *more)


class MaxPoolCard(Node[graphs.MaxPool]):
    """Maxima over windows of the last one or two axes of x `(channels, ...)`, less padding."""

    writes = (graphs.MaxPool,)

    op: Literal["max_pool"] = "max_pool"
    kernel: Per
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)

    @classmethod
    def written(cls, op: graphs.MaxPool, at: Writing) -> Self:
        sizes = {k: list(getattr(op, k)) for k in ("kernel", "stride", "padding")}
        return cls.model_validate({"inputs": at.inputs, **sizes})

    def made(self, at: Making) -> nn.Module:
        sizes = [tuple(s) for s in (self.kernel, self.stride, self.padding)]
        if len({len(s) for s in sizes}) != 1:
            raise BadInput(f"kernel, stride and padding of node {at.number} must be of one length")
        if any(2 * p >= k for k, p in zip(self.kernel, self.padding, strict=True)):
            raise BadInput(f"the padding of node {at.number} must be less than half its kernel")
        kind: Any = nn.MaxPool1d if len(self.kernel) == 1 else nn.MaxPool2d
        return kind(*sizes)


class MeanCard(Node[graphs.MeanOver]):
    """Means or sums over axes, counted without the batch axis from 0, or from -1 backward."""

    writes = (graphs.MeanOver, graphs.SumOver)

    op: Literal["mean", "sum"] = "mean"
    axes: Axes
    keep: bool = Field(description="whether the axes stay, of length 1")

    @classmethod
    def written(cls, op: graphs.MeanOver, at: Writing) -> Self:
        name = "sum" if op.call == "sum" else "mean"
        return cls(inputs=at.inputs, op=name, axes=list(op.dims), keep=op.keep)

    def made(self, at: Making) -> nn.Module:
        return (Total if self.op == "sum" else Mean)(tuple(self.axes), self.keep)
