"""Operations as nodes of a card: what each holds, how it is written and made again."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import (
    Difference,
    Divided,
    Flipped,
    Joined,
    Mean,
    Normalised,
    Packed,
    Permuted,
    Picked,
    Reshaped,
    Scaled,
    Shift,
    Sum,
    dense,
)
from workbench.models.mlp import activation_module

Key = Annotated[str, Field(min_length=1, max_length=200, description="name of a tensor")]
Size = Annotated[int, Field(ge=1, le=1 << 24)]
Place = Annotated[int, Field(ge=0, le=1 << 24)]
Axes = Annotated[list[int], Field(min_length=1, max_length=8)]
Per = Annotated[list[Size], Field(min_length=1, max_length=2, description="one number an axis")]

Fixed = Annotated[Literal[True] | None, Field(description="where training leaves it alone")]


class Strict(BaseModel):
    """A part of a card: no other fields, no text for a number, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class LinearCard(Strict):
    """y = W x + b."""

    op: Literal["linear"] = "linear"
    inputs: list[int]
    weight: Key
    bias: Key | None = None


class BiasCard(Strict):
    """y = x + value; value of x's shape, or repeated along its axes of length 1."""

    op: Literal["bias"] = "bias"
    inputs: list[int]
    value: Key
    fixed: Fixed = None


class ScaleCard(Strict):
    """y = x * value or x / value; value as in a bias."""

    op: Literal["scale", "divide"]
    inputs: list[int]
    value: Key
    fixed: Fixed = None


class PlainCard(Strict):
    """An operation without weights."""

    op: Literal[
        "relu", "gelu", "tanh", "sigmoid", "silu", "selu", "mish", "tanh_gelu", "hardswish",
        "hardsigmoid", "softsign", "tanhshrink", "logsigmoid", "abs", "square", "sign",
        "heaviside", "flatten", "add", "subtract", "contiguous",
    ]  # fmt: skip
    inputs: list[int]


class SettingsCard(Strict):
    """An activation with settings, which are PyTorch's."""

    op: Literal["leaky_relu", "elu", "celu", "softplus", "hardtanh", "softshrink"]
    inputs: list[int]
    settings: dict[str, FiniteFloat] = Field(
        description="negative_slope, alpha, beta and threshold, min_val and max_val, or lambd"
    )


class PReLUCard(Strict):
    """y = x above 0, weight x below; one weight, or one for each entry of the first axis."""

    op: Literal["prelu"] = "prelu"
    inputs: list[int]
    weight: Key


class ReshapeCard(Strict):
    """The same numbers in another shape, without the batch axis."""

    op: Literal["reshape"] = "reshape"
    inputs: list[int]
    to: Annotated[list[Size], Field(min_length=1, max_length=8)]


class Run(Strict):
    """Entries start, start + step, ... before stop."""

    start: Place = 0
    stop: Size
    step: Size = 1


class PickCard(Strict):
    """Entries of x: along each axis one (which drops it), a run or a list; null adds an axis."""

    op: Literal["pick"] = "pick"
    inputs: list[int]
    index: list[Place | Run | Annotated[list[Place], Field(min_length=1)] | None] = Field(
        min_length=1, max_length=16, description="an entry an axis, without the batch axis"
    )


class PermuteCard(Strict):
    """x with its axes in another order."""

    op: Literal["permute"] = "permute"
    inputs: list[int]
    order: Axes


class FlipCard(Strict):
    """x backward along some axes."""

    op: Literal["flip"] = "flip"
    inputs: list[int]
    axes: Axes


class CatCard(Strict):
    """Values one after the other along an axis."""

    op: Literal["cat"] = "cat"
    inputs: list[int]
    axis: Annotated[int, Field(ge=0, le=8)]


class ConvolutionCard(Strict):
    """y = W * x + b over the last one or two axes of x `(channels, ...)`, with zero padding."""

    op: Literal["convolution"] = "convolution"
    inputs: list[int]
    weight: Key = Field(description="(out, in / groups, size) or (out, in / groups, height, width)")
    bias: Key | None = None
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)
    dilation: Per
    groups: Size = 1


class AvgPoolCard(Strict):
    """Means over windows of the last one or two axes of x `(channels, ...)`, without padding."""

    op: Literal["avg_pool"] = "avg_pool"
    inputs: list[int]
    kernel: Per
    stride: Per


class MaxPoolCard(Strict):
    """Maxima over windows of the last one or two axes of x `(channels, ...)`, less padding."""

    op: Literal["max_pool"] = "max_pool"
    inputs: list[int]
    kernel: Per
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)


class MeanCard(Strict):
    """Means over whole axes, counted without the batch axis from 0, or from -1 backward."""

    op: Literal["mean"] = "mean"
    inputs: list[int]
    axes: Axes
    keep: bool = Field(description="whether the axes stay, of length 1")


class LayerNormCard(Strict):
    """y = weight z / sqrt(|z|^2 / n + eps) + bias, z = x less its mean over all n values."""

    op: Literal["layer_norm"] = "layer_norm"
    inputs: list[int]
    over: Annotated[list[Size], Field(min_length=1, max_length=8, description="shape of x")]
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)


class BatchNormCard(Strict):
    """y = weight (x - mean) / sqrt(var + eps) + bias, a number each per channel."""

    op: Literal["batch_norm"] = "batch_norm"
    inputs: list[int]
    mean: Key
    var: Key
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)


NODES = (
    LinearCard
    | BiasCard
    | ScaleCard
    | PlainCard
    | SettingsCard
    | PReLUCard
    | ReshapeCard
    | PickCard
    | PermuteCard
    | FlipCard
    | CatCard
    | ConvolutionCard
    | AvgPoolCard
    | MaxPoolCard
    | MeanCard
    | LayerNormCard
    | BatchNormCard
)


def written(
    op: graphs.Op | graphs.Composite,
    feeds: Sequence[int],
    shapes: Sequence[graphs.Shape],
    put: Callable[[str, Tensor], str],
) -> NODES | None:
    """The node that describes an operation; None where there is none.

    Args:
        op: the operation.
        feeds: the values that it takes, by number.
        shapes: of these values.
        put: keeps a tensor under the name of this part of the node; gives the name of the tensor.
    """

    def kept(part: str, value: Any) -> str | None:
        tensor = value.value if isinstance(value, graphs.Constant) else value
        return None if tensor is None else put(part, tensor)

    def fixed(constant: graphs.Constant) -> Literal[True] | None:
        return None if constant.trained else True

    at: dict[str, Any] = {"inputs": list(feeds)}
    match op:
        case graphs.Linear():
            return LinearCard(**at, bias=kept("bias", op.bias), weight=put("weight", op.weight))
        case graphs.Bias():
            return BiasCard(**at, value=put("value", op.value), fixed=fixed(op.constant))
        case graphs.Scale():
            name = "divide" if op.divides else "scale"
            value = put("value", op.constant.value)
            return ScaleCard(**at, op=name, value=value, fixed=fixed(op.constant))
        case graphs.Elementwise(row=row):
            told = {"op": row.name, **({"settings": row.settings} if row.settings else {})}
            return (SettingsCard if row.settings else PlainCard).model_validate({**at, **told})
        case graphs.PReLU():
            return PReLUCard(**at, weight=put("weight", op.weight.value))
        case graphs.Flatten():
            return PlainCard(**at, op="flatten")
        case graphs.Packed():
            return PlainCard(**at, op="contiguous")
        case graphs.Add():
            return PlainCard(**at, op="add")
        case graphs.Subtract():
            return PlainCard(**at, op="subtract")
        case graphs.Reshape() | graphs.Axes():
            return ReshapeCard(**at, to=list(op.shape(*shapes)))
        case graphs.Pick():
            return PickCard(**at, index=[_picked(e) for e in op.entries(shapes[0])])
        case graphs.Permute():
            return PermuteCard(**at, order=list(op.order(len(shapes[0]))))
        case graphs.Flip():
            return FlipCard(**at, axes=list(op.places(len(shapes[0]))))
        case graphs.Cat():
            return CatCard(**at, axis=op.place(len(shapes[0])))
        case graphs.Convolution():
            return ConvolutionCard(
                **at, weight=put("weight", op.weight), bias=kept("bias", op.bias),
                stride=list(op.stride), padding=list(op.padding), dilation=list(op.dilation),
                groups=op.groups,
            )  # fmt: skip
        case graphs.AvgPool():
            return AvgPoolCard(**at, kernel=list(op.kernel), stride=list(op.stride))
        case graphs.MaxPool():
            sizes = {k: list(getattr(op, k)) for k in ("kernel", "stride", "padding")}
            return MaxPoolCard.model_validate({**at, **sizes})
        case graphs.MeanOver():
            return MeanCard(**at, axes=list(op.dims), keep=op.keep)
        case graphs.LayerNorm():
            parts = {k: kept(k, getattr(op, k)) for k in ("weight", "bias")}
            told = {"over": list(op.over), "eps": op.eps}
            return LayerNormCard.model_validate({**at, **parts, **told})
        case graphs.BatchNorm():
            parts = {k: kept(k, getattr(op, k)) for k in ("mean", "var", "weight", "bias")}
            return BatchNormCard.model_validate({**at, **parts, "eps": op.eps})
    return None


def _picked(e: Any) -> Any:
    """An entry of a `Pick` as a card has it."""
    if isinstance(e, slice):
        return Run(start=e.start, stop=e.stop, step=e.step)
    return list(e) if isinstance(e, tuple) else e


def made(i: int, node: NODES, get: Callable[[str], Tensor], dtype: torch.dtype) -> nn.Module:
    """The module that node i describes; `get` looks a tensor up.

    Raises:
        BadInput: where its tensors and sizes do not fit one another.
    """

    def optional(key: str | None) -> Tensor | None:
        return None if key is None else get(key)

    match node:
        case LinearCard():
            weight = get(node.weight)
            if weight.ndim != 2:
                raise BadInput(f"the weight of node {i} must have shape (out, in), "
                               f"got {tuple(weight.shape)}")  # fmt: skip
            return dense(weight, optional(node.bias))
        case BiasCard():
            return Shift(get(node.value), bool(node.fixed))
        case ScaleCard():
            value, divides = get(node.value), node.op == "divide"
            if divides and not bool(value.all()):
                raise BadInput(f"node {i} divides by 0")
            return (Divided if divides else Scaled)(value, bool(node.fixed))
        case ReshapeCard():
            return Reshaped(tuple(node.to))
        case PickCard():
            return Picked([slice(*e.model_dump().values()) if isinstance(e, Run) else e
                           for e in node.index])  # fmt: skip
        case PermuteCard():
            if sorted(node.order) != list(range(len(node.order))):
                raise BadInput(f"node {i} puts its axes in the order {node.order}, which is none")
            return Permuted(node.order)
        case FlipCard():
            if min(node.axes) < 0:
                raise BadInput(f"node {i} flips axes {node.axes}: they are counted from 0")
            return Flipped(node.axes)
        case CatCard():
            return Joined(node.axis)
        case ConvolutionCard():
            return _convolution(i, node, get(node.weight), optional(node.bias))
        case AvgPoolCard():
            if len(node.kernel) != len(node.stride):
                raise BadInput(f"the kernel and the stride of node {i} must be of one length")
            pool = nn.AvgPool1d if len(node.kernel) == 1 else nn.AvgPool2d
            return pool(tuple(node.kernel), tuple(node.stride))  # type: ignore[arg-type]
        case MaxPoolCard():
            sizes = [tuple(s) for s in (node.kernel, node.stride, node.padding)]
            if len({len(s) for s in sizes}) != 1:
                raise BadInput(f"kernel, stride and padding of node {i} must be of one length")
            if any(2 * p >= k for k, p in zip(node.kernel, node.padding, strict=True)):
                raise BadInput(f"the padding of node {i} must be less than half its kernel")
            kind: Any = nn.MaxPool1d if len(node.kernel) == 1 else nn.MaxPool2d
            return kind(*sizes)
        case MeanCard():
            return Mean(tuple(node.axes), node.keep)
        case PReLUCard():
            layer, weight = nn.PReLU(), get(node.weight)
            if weight.ndim != 1:
                raise BadInput(f"the weight of node {i} must be a vector, got {weight.shape}")
            layer.weight = nn.Parameter(weight)
            return layer
        case SettingsCard():
            return activation_module(node.op, dtype, **node.settings)
        case LayerNormCard():
            weight, bias = optional(node.weight), optional(node.bias)
            if any(t is not None and list(t.shape) != node.over for t in (weight, bias)):
                raise BadInput(f"the weight and the bias of node {i} must have shape {node.over}")
            norm = nn.LayerNorm(node.over, node.eps, elementwise_affine=False)
            for name, value in (("weight", weight), ("bias", bias)):
                setattr(norm, name, None if value is None else nn.Parameter(value))
            return norm
        case BatchNormCard():
            mean, var = get(node.mean), get(node.var)
            weight, bias = optional(node.weight), optional(node.bias)
            shapes = {t.shape for t in (mean, var, weight, bias) if t is not None}
            if mean.ndim != 1 or len(shapes) != 1:
                raise BadInput(f"the tensors of node {i} must be vectors, a number a channel")
            if not bool((var + node.eps > 0).all()):
                raise BadInput(f"the variances of node {i} plus eps must be positive")
            return Normalised(mean, var, weight, bias, node.eps)
    match node.op:
        case "flatten":
            return nn.Flatten()
        case "contiguous":
            return Packed()
        case "add":
            return Sum()
        case "subtract":
            return Difference()
        case name:
            return activation_module(name, dtype)


def _convolution(i: int, node: ConvolutionCard, weight: Tensor, bias: Tensor | None) -> nn.Module:
    axes = weight.ndim - 2
    sizes = {len(v) for v in (node.stride, node.padding, node.dilation)}
    if axes not in (1, 2) or sizes != {axes}:
        raise BadInput(
            f"node {i} convolves over one axis or two: a weight of 3 or 4 axes and a stride, a "
            f"padding and a dilation for each axis are needed, got {tuple(weight.shape)}"
        )
    out, per_group, *kernel = weight.shape
    if out % node.groups:
        raise BadInput(f"node {i} has {node.groups} groups, which do not divide {out} outputs")
    if bias is not None and bias.shape != (out,):
        raise BadInput(f"node {i} makes {out} channels and needs a bias ({out},), got {bias.shape}")
    kind: Any = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = kind(
        per_group * node.groups, out, tuple(kernel), tuple(node.stride), tuple(node.padding),
        tuple(node.dilation), node.groups, bias is not None, device="meta", dtype=weight.dtype,
    )  # fmt: skip
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer
