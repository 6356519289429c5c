"""Cards of attention, and of the masks that it takes."""

import math
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, FiniteFloat
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import attending
from workbench.problem.nodes.base import Key, Making, Node, Size, Strict, Tensors, Writing


class MaskCard(Strict):
    """What is added to scores where `keep` is not 0; elsewhere they count for nothing."""

    keep: Key
    add: Key | None = None


class AttentionCard(Node[graphs.Attention]):
    """softmax(factor q k^T + mask) v over the last two axes of queries, keys and values."""

    writes = (graphs.Attention,)

    op: Literal["attention"] = "attention"
    mask: MaskCard | None = None
    causal: Literal[True] | None = None
    factor: FiniteFloat | None = Field(default=None, description="1 / sqrt(length) where left out")

    @classmethod
    def written(cls, op: graphs.Attention, at: Writing) -> Self:
        mask = _mask(op.mask, at)
        return cls(inputs=at.inputs, mask=mask, causal=op.causal or None, factor=op.factor)

    def made(self, at: Making) -> nn.Module:
        return attending.Attention(_seen(self.mask, at), bool(self.causal), self.factor)


class MultiheadAttentionCard(Node[graphs.MultiheadAttention]):
    """PyTorch's MultiheadAttention of queries, keys and values `(tokens, width)`."""

    writes = (graphs.MultiheadAttention,)

    op: Literal["multihead_attention"] = "multihead_attention"
    width: Size
    heads: Size
    tensors: Tensors
    mask: MaskCard | None = None
    causal: Literal[True] | None = None
    asked: Literal[True] | None = Field(default=None, description="for its weights as well")

    @classmethod
    def written(cls, op: graphs.MultiheadAttention, at: Writing) -> Self:
        layer = op.layer
        return cls(
            inputs=at.inputs, width=layer.embed_dim, heads=layer.num_heads,
            tensors=at.tensors(layer), mask=_mask(op.mask, at), causal=op.causal or None,
            asked=op.weights or None,
        )  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        _check_heads(at, self.width, self.heads)
        tensors = at.tensors(self.tensors)
        return attending.MultiheadAttention(
            self.width, self.heads, _seen(self.mask, at), bool(self.causal), bool(self.asked),
            tensors,
        )  # fmt: skip


class EncoderLayerCard(Node[graphs.EncoderLayer]):
    """PyTorch's TransformerEncoderLayer of x `(tokens, width)`."""

    writes = (graphs.EncoderLayer,)

    op: Literal["encoder_layer"] = "encoder_layer"
    width: Size
    heads: Size
    hidden: Size
    activation: Literal["relu", "gelu"]
    first: bool = Field(description="whether norms come first")
    eps: Annotated[list[Annotated[FiniteFloat, Field(ge=0.0)]], Field(min_length=2, max_length=2)]
    tensors: Tensors
    mask: MaskCard | None = None
    causal: Literal[True] | None = None

    @classmethod
    def written(cls, op: graphs.EncoderLayer, at: Writing) -> Self:
        layer = op.layer
        told = {"activation": graphs.bend_of(layer), "first": layer.norm_first}
        sizes = {"width": layer.self_attn.embed_dim, "heads": layer.self_attn.num_heads}
        return cls.model_validate({
            "inputs": at.inputs, **told, **sizes, "hidden": layer.linear1.out_features,
            "eps": [layer.norm1.eps, layer.norm2.eps], "tensors": at.tensors(layer),
            "mask": _mask(op.mask, at), "causal": op.causal or None,
        })  # fmt: skip

    def made(self, at: Making) -> nn.Module:
        _check_heads(at, self.width, self.heads)
        tensors = at.tensors(self.tensors)
        one, two = self.eps
        return attending.EncoderLayer(
            self.width, self.heads, self.hidden, self.activation, self.first, (one, two),
            _seen(self.mask, at), bool(self.causal), tensors,
        )  # fmt: skip


def _mask(mask: graphs.Constant | None, at: Writing) -> MaskCard | None:
    """A mask as a card has it: no tensor of a card is infinite, or holds truth values."""
    if mask is None:
        return None
    value = mask.value
    if value.dtype == torch.bool:
        return MaskCard(keep=at.put("mask", value.to(torch.float32)))
    keep = value > -math.inf
    return MaskCard(
        keep=at.put("mask", keep.to(torch.float32)),
        add=at.put("add", value.masked_fill(~keep, 0.0)),
    )


def _seen(mask: MaskCard | None, at: Making) -> Tensor | None:
    """The mask that a card describes: of truth values where nothing is added."""
    if mask is None:
        return None
    keep = at.get(mask.keep) != 0.0
    if mask.add is None:
        return keep
    add = at.get(mask.add)
    if add.shape != keep.shape:
        raise BadInput(f"a mask of shape {tuple(keep.shape)} adds values {tuple(add.shape)}")
    return add.masked_fill(~keep, -math.inf)


def _check_heads(at: Making, width: int, heads: int) -> None:
    if width % heads:
        raise BadInput(
            f"node {at.number} has {heads} heads, which do not divide a width of {width}"
        )
