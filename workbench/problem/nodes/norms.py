"""Cards of normalisations."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import Normalised, UnitLength
from workbench.problem.nodes.base import Key, Making, Node, Size, Writing


class LayerNormCard(Node[graphs.LayerNorm]):
    """y = weight z / sqrt(|z|^2 / n + eps) + bias, z = x less its mean, over the n values of its
    last axes."""

    writes = (graphs.LayerNorm,)

    op: Literal["layer_norm"] = "layer_norm"
    over: Annotated[list[Size], Field(min_length=1, max_length=8, description="shape of x")]
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)

    @classmethod
    def written(cls, op: graphs.LayerNorm, at: Writing) -> Self:
        parts = {k: at.kept(k, getattr(op, k)) for k in ("weight", "bias")}
        told = {"over": list(op.over), "eps": op.eps}
        return cls.model_validate({"inputs": at.inputs, **parts, **told})

    def made(self, at: Making) -> nn.Module:
        i, weight, bias = at.number, at.optional(self.weight), at.optional(self.bias)
        if any(t is not None and list(t.shape) != self.over for t in (weight, bias)):
            raise BadInput(f"the weight and the bias of node {i} must have shape {self.over}")
        norm = nn.LayerNorm(self.over, self.eps, elementwise_affine=False)
        return _weighed(norm, weight, bias)


class RMSNormCard(Node[graphs.RMSNorm]):
    """y = weight x / sqrt(|x|^2 / n + eps) over the n values of the last axes of x."""

    writes = (graphs.RMSNorm,)

    op: Literal["rms_norm"] = "rms_norm"
    over: Annotated[list[Size], Field(min_length=1, max_length=8, description="the last axes")]
    weight: Key | None = None
    eps: FiniteFloat | None = Field(default=None, ge=0.0)

    @classmethod
    def written(cls, op: graphs.RMSNorm, at: Writing) -> Self:
        weight = at.kept("weight", op.weight)
        return cls(inputs=at.inputs, over=list(op.over), weight=weight, eps=op.eps)

    def made(self, at: Making) -> nn.Module:
        weight = at.optional(self.weight)
        if weight is not None and list(weight.shape) != self.over:
            raise BadInput(f"the weight of node {at.number} must have shape {self.over}")
        return _weighed(nn.RMSNorm(self.over, self.eps, elementwise_affine=False), weight)


class GroupNormCard(Node[graphs.GroupNorm | graphs.InstanceNorm]):
    """As a layer_norm over each run of channels (group_norm) or each channel (instance_norm)."""

    writes = (graphs.GroupNorm, graphs.InstanceNorm)

    op: Literal["group_norm", "instance_norm"]
    groups: Size
    channels: Size
    axes: Annotated[int, Field(ge=0, le=2, description="behind that of the channels")]
    weight: Key | None = Field(default=None, description="one number a channel, as the bias")
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)

    @classmethod
    def written(cls, op: graphs.GroupNorm | graphs.InstanceNorm, at: Writing) -> Self:
        weight, bias = at.kept("weight", op.weight), at.kept("bias", op.bias)
        kind = "group_norm" if isinstance(op, graphs.GroupNorm) else "instance_norm"
        channels, *rest = at.shapes[0]
        return cls(
            inputs=at.inputs, op=kind, groups=op.groups(at.shapes[0]), channels=channels,
            axes=len(rest), weight=weight, bias=bias, eps=op.eps,
        )  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        i, weight, bias = at.number, at.optional(self.weight), at.optional(self.bias)
        if any(t is not None and list(t.shape) != [self.channels] for t in (weight, bias)):
            raise BadInput(f"the weight and the bias of node {i} are a number a channel")
        if self.channels % self.groups:
            raise BadInput(f"node {i} has {self.groups} groups of {self.channels} channels")
        if self.op == "group_norm":
            norm = nn.GroupNorm(self.groups, self.channels, self.eps, affine=False)
        else:
            each = nn.InstanceNorm1d if self.axes == 1 else nn.InstanceNorm2d
            norm = each(self.channels, self.eps)
        return _weighed(norm, weight, bias)


class UnitLengthCard(Node[graphs.UnitLength]):
    """y = x / |x| along the last axis, |x| at least eps."""

    writes = (graphs.UnitLength,)

    op: Literal["unit_length"] = "unit_length"
    eps: FiniteFloat = Field(ge=0.0)

    @classmethod
    def written(cls, op: graphs.UnitLength, at: Writing) -> Self:
        return cls(inputs=at.inputs, eps=op.eps)

    def made(self, at: Making) -> nn.Module:
        return UnitLength(self.eps)


class BatchNormCard(Node[graphs.BatchNorm]):
    """y = weight (x - mean) / sqrt(var + eps) + bias, a number each per channel."""

    writes = (graphs.BatchNorm,)

    op: Literal["batch_norm"] = "batch_norm"
    mean: Key
    var: Key
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)

    @classmethod
    def written(cls, op: graphs.BatchNorm, at: Writing) -> Self:
        parts = {k: at.kept(k, getattr(op, k)) for k in ("mean", "var", "weight", "bias")}
        return cls.model_validate({"inputs": at.inputs, **parts, "eps": op.eps})

    def made(self, at: Making) -> nn.Module:
        i, mean, var = at.number, at.get(self.mean), at.get(self.var)
        weight, bias = at.optional(self.weight), at.optional(self.bias)
        shapes = {t.shape for t in (mean, var, weight, bias) if t is not None}
        if mean.ndim != 1 or len(shapes) != 1:
            raise BadInput(f"the tensors of node {i} must be vectors, a number a channel")
        if not bool((var + self.eps > 0).all()):
            raise BadInput(f"the variances of node {i} plus eps must be positive")
        return Normalised(mean, var, weight, bias, self.eps)


def _weighed(norm: nn.Module, weight: Tensor | None, bias: Tensor | None = None) -> nn.Module:
    """A norm with these weights, of which None is none."""
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            setattr(norm, name, nn.Parameter(value))
    return norm
