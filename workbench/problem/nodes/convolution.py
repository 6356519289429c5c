"""Cards of convolutions and of their transposes."""

from typing import Any, Literal, Self

from pydantic import Field
from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.problem.nodes.base import Key, Making, Node, Per, Place, Size, Writing


class ConvolutionCard(Node[graphs.Convolution]):
    """y = W * x + b over the last one or two axes of x `(channels, ...)`, with zero padding."""

    writes = (graphs.Convolution,)

    op: Literal["convolution"] = "convolution"
    weight: Key = Field(description="(out, in / groups, size) or (out, in / groups, height, width)")
    bias: Key | None = None
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)
    dilation: Per
    groups: Size = 1

    @classmethod
    def written(cls, op: graphs.Convolution, at: Writing) -> Self:
        return cls(
            inputs=at.inputs, weight=at.put("weight", op.weight), bias=at.kept("bias", op.bias),
            stride=list(op.stride), padding=list(op.padding), dilation=list(op.dilation),
            groups=op.groups,
        )  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        return _layer(self, at)


class ConvolutionTransposeCard(Node[graphs.ConvolutionTranspose]):
    """The transpose of a convolution, plus b."""

    writes = (graphs.ConvolutionTranspose,)

    op: Literal["convolution_transpose"] = "convolution_transpose"
    weight: Key = Field(description="(in, out / groups, size) or (in, out / groups, height, width)")
    bias: Key | None = None
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)
    more: list[Place] = Field(min_length=1, max_length=2, description="places added at the end")
    dilation: Per
    groups: Size = 1

    @classmethod
    def written(cls, op: graphs.ConvolutionTranspose, at: Writing) -> Self:
        return cls(
            inputs=at.inputs, weight=at.put("weight", op.weight), bias=at.kept("bias", op.bias),
            stride=list(op.stride), padding=list(op.padding), more=list(op.more),
            dilation=list(op.dilation), groups=op.groups,
        )  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        return _layer(self, at)


def _layer(node: ConvolutionCard | ConvolutionTransposeCard, at: Making) -> nn.Module:
    i, weight, bias = at.number, at.get(node.weight), at.optional(node.bias)
    axes, turned = weight.ndim - 2, isinstance(node, ConvolutionTransposeCard)
    more = [tuple(node.more)] if isinstance(node, ConvolutionTransposeCard) else []
    sizes = {len(v) for v in (node.stride, node.padding, node.dilation, *more)}
    if axes not in (1, 2) or sizes != {axes}:
        raise BadInput(
            f"node {i} convolves over one axis or two: a weight of 3 or 4 axes and a stride, a "
            f"padding and a dilation for each axis are needed, got {tuple(weight.shape)}"
        )
    first, second, *kernel = weight.shape
    whole = "inputs" if turned else "outputs"
    if first % node.groups:
        raise BadInput(f"node {i} has {node.groups} groups, which do not divide {first} {whole}")
    into, out = (first, second * node.groups) if turned else (second * node.groups, first)
    if bias is not None and bias.shape != (out,):
        raise BadInput(f"node {i} makes {out} channels and needs a bias ({out},), got {bias.shape}")
    kinds: Any = {
        (1, False): nn.Conv1d, (2, False): nn.Conv2d, (1, True): nn.ConvTranspose1d,
        (2, True): nn.ConvTranspose2d,
    }  # fmt: skip
    layer = kinds[axes, turned](
        into, out, tuple(kernel), tuple(node.stride), tuple(node.padding), *more,
        groups=node.groups, bias=bias is not None, dilation=tuple(node.dilation), device="meta",
        dtype=weight.dtype,
    )  # fmt: skip
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer
