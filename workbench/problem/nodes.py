"""Operations as nodes of a card: how each is written and made again."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import (
    Difference,
    Divided,
    Flipped,
    Greatest,
    Joined,
    Least,
    LogSumExp,
    Maximum,
    Mean,
    Minimum,
    Multiplied,
    Multiply,
    Normalised,
    Packed,
    Padded,
    Permuted,
    Picked,
    Reshaped,
    Scaled,
    Shift,
    Sum,
    Total,
    UnitLength,
    attending,
    dense,
)
from workbench.models.mlp import activation_module
from workbench.models.recurrent import Recurrent
from workbench.problem import operation_cards as cards
from workbench.problem.operation_cards import NODES


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
        case graphs.Linear(turned=True):
            value, trained = put("value", op.weight_ref.value), fixed(op.weight_ref)
            return cards.MatmulCard(**at, value=value, fixed=trained)
        case graphs.Linear():
            bias = kept("bias", op.bias)
            return cards.LinearCard(**at, bias=bias, weight=put("weight", op.weight))
        case graphs.Bias():
            return cards.BiasCard(**at, value=put("value", op.value), fixed=fixed(op.constant))
        case graphs.Scale():
            name = "divide" if op.divides else "scale"
            value = put("value", op.constant.value)
            return cards.ScaleCard(**at, op=name, value=value, fixed=fixed(op.constant))
        case graphs.Elementwise(row=row):
            if settings := row.settings():
                return cards.SettingsCard.model_validate(
                    {**at, "op": row.name, "settings": settings}
                )
            return cards.PlainCard.model_validate({**at, "op": row.name})
        case graphs.PReLU():
            return cards.PReLUCard(**at, weight=put("weight", op.weight.value))
        case graphs.Flatten():
            return cards.PlainCard(**at, op="flatten")
        case graphs.Packed():
            return cards.PlainCard(**at, op="contiguous")
        case graphs.Add():
            return cards.PlainCard(**at, op="add")
        case graphs.Subtract():
            return cards.PlainCard(**at, op="subtract")
        case graphs.Product():
            return cards.PlainCard(**at, op="multiply")
        case graphs.Maximum():
            return cards.PlainCard(**at, op="minimum" if op.least else "maximum")
        case graphs.Greatest():
            name = "least" if op.least else "greatest"
            return cards.GreatestCard(**at, op=name, axis=op.place(shapes[0]), keep=op.keep)
        case graphs.Softmax() | graphs.LogSoftmax():
            name = "softmax" if isinstance(op, graphs.Softmax) else "log_softmax"
            return cards.SoftmaxCard(**at, op=name, axis=op.place(shapes[0]))
        case graphs.LogSumExp():
            return cards.LogSumExpCard(**at, axis=op.place(shapes[0]), keep=op.keep)
        case graphs.MatrixProduct():
            return cards.MatrixProductCard(**at)
        case graphs.Einsum():
            return cards.EinsumCard(**at, equation=op.equation)
        case graphs.Masked():
            keep = put("keep", op.mask().to(torch.float32))
            return cards.MaskedCard(**at, keep=keep, fill=kept("fill", op.fill))
        case graphs.Attention():
            return cards.AttentionCard(
                **at, mask=_mask(op.mask, put), causal=op.causal or None, factor=op.factor
            )
        case graphs.MultiheadAttention(layer=layer):
            return cards.MultiheadAttentionCard(
                **at, width=layer.embed_dim, heads=layer.num_heads, tensors=_tensors(layer, put),
                mask=_mask(op.mask, put), causal=op.causal or None, asked=op.weights or None,
            )  # fmt: skip
        case graphs.EncoderLayer(layer=layer):
            told = {"activation": graphs.bend_of(layer), "first": layer.norm_first}
            sizes = {"width": layer.self_attn.embed_dim, "heads": layer.self_attn.num_heads}
            return cards.EncoderLayerCard.model_validate({
                **at, **told, **sizes, "hidden": layer.linear1.out_features,
                "eps": [layer.norm1.eps, layer.norm2.eps], "tensors": _tensors(layer, put),
                "mask": _mask(op.mask, put), "causal": op.causal or None,
            })  # fmt: skip
        case graphs.Recurrent(layer=layer):
            return cards.RecurrentCard.model_validate({
                **at, "op": op.kind, "width": layer.input_size, "hidden": layer.hidden_size,
                "layers": layer.num_layers, "both": layer.bidirectional or None,
                "tensors": _tensors(layer, put),
            })  # fmt: skip
        case graphs.Reshape() | graphs.Axes():
            return cards.ReshapeCard(**at, to=list(op.shape(*shapes)))
        case graphs.Pick():
            return cards.PickCard(**at, index=[_picked(e) for e in op.entries(shapes[0])])
        case graphs.Permute():
            return cards.PermuteCard(**at, order=list(op.order(len(shapes[0]))))
        case graphs.Flip():
            return cards.FlipCard(**at, axes=list(op.places(len(shapes[0]))))
        case graphs.Cat():
            return cards.CatCard(**at, axis=op.place(len(shapes[0])))
        case graphs.Convolution():
            return cards.ConvolutionCard(
                **at, weight=put("weight", op.weight), bias=kept("bias", op.bias),
                stride=list(op.stride), padding=list(op.padding), dilation=list(op.dilation),
                groups=op.groups,
            )  # fmt: skip
        case graphs.ConvolutionTranspose():
            return cards.ConvolutionTransposeCard(
                **at, weight=put("weight", op.weight), bias=kept("bias", op.bias),
                stride=list(op.stride), padding=list(op.padding), more=list(op.more),
                dilation=list(op.dilation), groups=op.groups,
            )  # fmt: skip
        case graphs.Pad():
            told = {"before": list(op.before), "after": list(op.after), "mode": op.mode}
            return cards.PadCard.model_validate({**at, **told})
        case graphs.Resize():
            to, by = op.each(len(shapes[0]) - 1)
            told = {"to": to, "by": by, "mode": op.mode, "corners": op.corners}
            return cards.ResizeCard.model_validate({**at, **told})
        case graphs.AdaptivePool():
            return cards.AdaptivePoolCard(**at, to=list(op.sizes(shapes[0])))
        case graphs.AvgPool():
            return cards.AvgPoolCard(
                **at, kernel=list(op.kernel), stride=list(op.stride),
                padding=list(op.padding) if any(op.padding) else None,
                ceil=True if op.ceil else None,
                whole=False if any(op.padding) and not op.whole else None,
                divisor=op.divisor,
            )  # fmt: skip
        case graphs.MaxPool():
            sizes = {k: list(getattr(op, k)) for k in ("kernel", "stride", "padding")}
            return cards.MaxPoolCard.model_validate({**at, **sizes})
        case graphs.MeanOver():
            return cards.MeanCard(
                **at, op="sum" if op.call == "sum" else "mean", axes=list(op.dims), keep=op.keep
            )
        case graphs.LayerNorm():
            parts = {k: kept(k, getattr(op, k)) for k in ("weight", "bias")}
            told = {"over": list(op.over), "eps": op.eps}
            return cards.LayerNormCard.model_validate({**at, **parts, **told})
        case graphs.RMSNorm():
            weight = kept("weight", op.weight)
            return cards.RMSNormCard(**at, over=list(op.over), weight=weight, eps=op.eps)
        case graphs.GroupNorm() | graphs.InstanceNorm():
            weight, bias = kept("weight", op.weight), kept("bias", op.bias)
            kind = "group_norm" if isinstance(op, graphs.GroupNorm) else "instance_norm"
            channels, *rest = shapes[0]
            return cards.GroupNormCard(
                **at, op=kind, groups=op.groups(shapes[0]), channels=channels, axes=len(rest),
                weight=weight, bias=bias, eps=op.eps,
            )  # fmt: skip
        case graphs.UnitLength():
            return cards.UnitLengthCard(**at, eps=op.eps)
        case graphs.BatchNorm():
            parts = {k: kept(k, getattr(op, k)) for k in ("mean", "var", "weight", "bias")}
            return cards.BatchNormCard.model_validate({**at, **parts, "eps": op.eps})
    return None


def _picked(e: Any) -> Any:
    """An entry of a `Pick` as a card has it."""
    if isinstance(e, slice):
        return cards.Run(start=e.start, stop=e.stop, step=e.step)
    return list(e) if isinstance(e, tuple) else e


def _tensors(layer: nn.Module, put: Callable[[str, Tensor], str]) -> dict[str, str]:
    """The parameters of a layer, kept."""
    return {k: put(k, w) for k, w in layer.named_parameters()}


def _mask(mask: graphs.Constant | None, put: Callable[[str, Tensor], str]) -> cards.MaskCard | None:
    """A mask as a card has it: no tensor of a card is infinite, or holds truth values."""
    if mask is None:
        return None
    value = mask.value
    if value.dtype == torch.bool:
        return cards.MaskCard(keep=put("mask", value.to(torch.float32)))
    keep = value > -math.inf
    return cards.MaskCard(
        keep=put("mask", keep.to(torch.float32)), add=put("add", value.masked_fill(~keep, 0.0))
    )


def made(i: int, node: NODES, get: Callable[[str], Tensor], dtype: torch.dtype) -> nn.Module:
    """The module that node i describes; `get` looks a tensor up.

    Raises:
        BadInput: where its tensors and sizes do not fit one another.
    """

    def optional(key: str | None) -> Tensor | None:
        return None if key is None else get(key)

    match node:
        case cards.LinearCard():
            weight = get(node.weight)
            if weight.ndim != 2:
                raise BadInput(f"the weight of node {i} must have shape (out, in), "
                               f"got {tuple(weight.shape)}")  # fmt: skip
            return dense(weight, optional(node.bias))
        case cards.MatmulCard():
            value = get(node.value)
            if value.ndim != 2:
                raise BadInput(f"the value of node {i} must be a matrix, got {tuple(value.shape)}")
            return Multiplied(value, bool(node.fixed))
        case cards.BiasCard():
            return Shift(get(node.value), bool(node.fixed))
        case cards.ScaleCard():
            value, divides = get(node.value), node.op == "divide"
            if divides and not bool(value.all()):
                raise BadInput(f"node {i} divides by 0")
            return (Divided if divides else Scaled)(value, bool(node.fixed))
        case cards.ReshapeCard():
            return Reshaped(tuple(node.to))
        case cards.PickCard():
            return Picked([slice(*e.model_dump().values()) if isinstance(e, cards.Run) else e
                           for e in node.index])  # fmt: skip
        case cards.PermuteCard():
            if sorted(node.order) != list(range(len(node.order))):
                raise BadInput(f"node {i} puts its axes in the order {node.order}, which is none")
            return Permuted(node.order)
        case cards.FlipCard():
            if min(node.axes) < 0:
                raise BadInput(f"node {i} flips axes {node.axes}: they are counted from 0")
            return Flipped(node.axes)
        case cards.CatCard():
            return Joined(node.axis)
        case cards.ConvolutionCard():
            return _convolution(i, node, get(node.weight), optional(node.bias))
        case cards.ConvolutionTransposeCard():
            return _convolution(i, node, get(node.weight), optional(node.bias))
        case cards.PadCard():
            if len(node.before) != len(node.after):
                raise BadInput(f"before and after of node {i} must be of one length")
            return Padded(node.before, node.after, node.mode)
        case cards.ResizeCard():
            if (node.to is None) == (node.by is None):
                raise BadInput(f"node {i} needs sizes, or factors, and not both")
            to = None if node.to is None else tuple(node.to)
            by: Any = None if node.by is None else tuple(node.by)
            return nn.Upsample(to, by, node.mode, node.corners)
        case cards.AdaptivePoolCard():
            adapt: Any = nn.AdaptiveAvgPool1d if len(node.to) == 1 else nn.AdaptiveAvgPool2d
            return adapt(tuple(node.to))
        case cards.AvgPoolCard():
            padding = node.padding or [0] * len(node.kernel)
            if len({len(node.kernel), len(node.stride), len(padding)}) != 1:
                raise BadInput(f"kernel, stride and padding of node {i} must be of one length")
            pool: Any = nn.AvgPool1d if len(node.kernel) == 1 else nn.AvgPool2d
            more = () if node.divisor is None else (node.divisor,)
            if more and pool is nn.AvgPool1d:
                raise BadInput(f"node {i} has a divisor, which means over two axes alone take")
            sizes = [tuple(v) for v in (node.kernel, node.stride, padding)]
            return pool(*sizes, bool(node.ceil), node.whole is not False, *more)
        case cards.MaxPoolCard():
            sizes = [tuple(s) for s in (node.kernel, node.stride, node.padding)]
            if len({len(s) for s in sizes}) != 1:
                raise BadInput(f"kernel, stride and padding of node {i} must be of one length")
            if any(2 * p >= k for k, p in zip(node.kernel, node.padding, strict=True)):
                raise BadInput(f"the padding of node {i} must be less than half its kernel")
            kind: Any = nn.MaxPool1d if len(node.kernel) == 1 else nn.MaxPool2d
            return kind(*sizes)
        case cards.MeanCard():
            return (Total if node.op == "sum" else Mean)(tuple(node.axes), node.keep)
        case cards.GreatestCard():
            return (Least if node.op == "least" else Greatest)(node.axis, node.keep)
        case cards.SoftmaxCard():
            kind: Any = nn.Softmax if node.op == "softmax" else nn.LogSoftmax
            return kind(node.axis + 1)
        case cards.LogSumExpCard():
            return LogSumExp(node.axis, node.keep)
        case cards.MatrixProductCard():
            return attending.MatrixProduct()
        case cards.EinsumCard():
            return attending.Einsum(graphs.checked(node.equation))
        case cards.MaskedCard():
            return attending.Masked(get(node.keep) != 0.0, optional(node.fill), dtype)
        case cards.AttentionCard():
            return attending.Attention(_seen(node.mask, get), bool(node.causal), node.factor)
        case cards.MultiheadAttentionCard():
            _check_heads(i, node.width, node.heads)
            tensors = {k: get(key) for k, key in node.tensors.items()}
            return attending.MultiheadAttention(
                node.width, node.heads, _seen(node.mask, get), bool(node.causal),
                bool(node.asked), tensors,
            )  # fmt: skip
        case cards.EncoderLayerCard():
            _check_heads(i, node.width, node.heads)
            tensors = {k: get(key) for k, key in node.tensors.items()}
            one, two = node.eps
            return attending.EncoderLayer(
                node.width, node.heads, node.hidden, node.activation, node.first, (one, two),
                _seen(node.mask, get), bool(node.causal), tensors,
            )  # fmt: skip
        case cards.RecurrentCard():
            tensors = {k: get(key) for k, key in node.tensors.items()}
            return Recurrent(
                node.op, node.width, node.hidden, node.layers, bool(node.both), tensors
            )
        case cards.PReLUCard():
            layer, weight = nn.PReLU(), get(node.weight)
            if weight.ndim != 1:
                raise BadInput(f"the weight of node {i} must be a vector, got {weight.shape}")
            layer.weight = nn.Parameter(weight)
            return layer
        case cards.SettingsCard():
            return activation_module(node.op, dtype, **node.settings)
        case cards.LayerNormCard():
            weight, bias = optional(node.weight), optional(node.bias)
            if any(t is not None and list(t.shape) != node.over for t in (weight, bias)):
                raise BadInput(f"the weight and the bias of node {i} must have shape {node.over}")
            norm = nn.LayerNorm(node.over, node.eps, elementwise_affine=False)
            return _weighed(norm, weight, bias)
        case cards.RMSNormCard():
            weight = optional(node.weight)
            if weight is not None and list(weight.shape) != node.over:
                raise BadInput(f"the weight of node {i} must have shape {node.over}")
            return _weighed(nn.RMSNorm(node.over, node.eps, elementwise_affine=False), weight)
        case cards.GroupNormCard():
            weight, bias = optional(node.weight), optional(node.bias)
            if any(t is not None and list(t.shape) != [node.channels] for t in (weight, bias)):
                raise BadInput(f"the weight and the bias of node {i} are a number a channel")
            if node.channels % node.groups:
                raise BadInput(f"node {i} has {node.groups} groups of {node.channels} channels")
            if node.op == "group_norm":
                norm = nn.GroupNorm(node.groups, node.channels, node.eps, affine=False)
            else:
                each = nn.InstanceNorm1d if node.axes == 1 else nn.InstanceNorm2d
                norm = each(node.channels, node.eps)
            return _weighed(norm, weight, bias)
        case cards.UnitLengthCard():
            return UnitLength(node.eps)
        case cards.BatchNormCard():
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
        case "multiply":
            return Multiply()
        case "subtract":
            return Difference()
        case "maximum":
            return Maximum()
        case "minimum":
            return Minimum()
        case name:
            return activation_module(name, dtype)


def _check_heads(i: int, width: int, heads: int) -> None:
    if width % heads:
        raise BadInput(f"node {i} has {heads} heads, which do not divide a width of {width}")


def _seen(mask: cards.MaskCard | None, get: Callable[[str], Tensor]) -> Tensor | None:
    """The mask that a card describes: of truth values where nothing is added."""
    if mask is None:
        return None
    keep = get(mask.keep) != 0.0
    if mask.add is None:
        return keep
    add = get(mask.add)
    if add.shape != keep.shape:
        raise BadInput(f"a mask of shape {tuple(keep.shape)} adds values {tuple(add.shape)}")
    return add.masked_fill(~keep, -math.inf)


def _weighed(norm: nn.Module, weight: Tensor | None, bias: Tensor | None = None) -> nn.Module:
    """A norm with these weights, of which None is none."""
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            setattr(norm, name, nn.Parameter(value))
    return norm


def _convolution(
    i: int,
    node: cards.ConvolutionCard | cards.ConvolutionTransposeCard,
    weight: Tensor,
    bias: Tensor | None,
) -> nn.Module:
    axes, turned = weight.ndim - 2, isinstance(node, cards.ConvolutionTransposeCard)
    more = [tuple(node.more)] if isinstance(node, cards.ConvolutionTransposeCard) else []
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
