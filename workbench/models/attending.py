"""Attention and products of matrices, as parts of a `Network`."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput


class MatrixProduct(nn.Module):
    """y = u @ v over the last two axes of two values."""

    def forward(self, u: Tensor, v: Tensor) -> Tensor:
        return torch.matmul(u, v)


class Einsum(nn.Module):
    """y = einsum of two values; the first letter of each is the batch axis."""

    def __init__(self, equation: str):
        super().__init__()
        self.equation = equation

    def forward(self, u: Tensor, v: Tensor) -> Tensor:
        return torch.einsum(self.equation, u, v)


class Masked(nn.Module):
    """y = x where `keep` is true, else `fill`; None is minus infinity."""

    keep: Tensor
    fill: Tensor

    def __init__(self, keep: Tensor, fill: Tensor | None, dtype: torch.dtype):
        super().__init__()
        self.register_buffer("keep", keep)
        none = torch.tensor(-math.inf, dtype=dtype, device=keep.device)
        self.register_buffer("fill", none if fill is None else fill)

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.keep, x, self.fill)


class _WithMask(nn.Module):
    mask: Tensor | None

    def __init__(self, mask: Tensor | None):
        super().__init__()
        self.register_buffer("mask", mask)


class Attention(_WithMask):
    """y = softmax(factor q k^T + mask) v over the last two axes.

    Args:
        mask: added to the scores, or true where a query sees a key.
        causal: whether a query sees itself and what stands before it alone.
        factor: of the scores; None is one over the root of their length.
    """

    def __init__(self, mask: Tensor | None, causal: bool, factor: float | None):
        super().__init__(mask)
        self.causal, self.factor = causal, factor

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(
            q, k, v, self.mask, is_causal=self.causal, scale=self.factor
        )


class MultiheadAttention(_WithMask):
    """y = an `nn.MultiheadAttention` of queries, keys and values.

    Args:
        mask: added to the scores, or true where a query must not see a key.
        causal: the hint that the mask is causal.
        asked: whether the weights are asked for too, which changes the last bits.
        tensors: by their names in PyTorch's module.
    """

    def __init__(
        self, width: int, heads: int, mask: Tensor | None, causal: bool, asked: bool,
        tensors: Mapping[str, Tensor],
    ):  # fmt: skip
        super().__init__(mask)
        bias = "in_proj_bias" in tensors
        with torch.device("meta"):
            layer = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True)
        self.layer = filled(layer, tensors)
        self.causal, self.asked = causal, asked

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.layer(
            q, k, v, need_weights=self.asked, attn_mask=self.mask, is_causal=self.causal
        )[0]


class EncoderLayer(_WithMask):
    """y = an `nn.TransformerEncoderLayer` of x.

    Args:
        eps: of the two norms.
        mask, causal, tensors: as in `MultiheadAttention`.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, activation: str, first: bool,
        eps: tuple[float, float], mask: Tensor | None, causal: bool, tensors: Mapping[str, Tensor],
    ):  # fmt: skip
        super().__init__(mask)
        bias = "linear1.bias" in tensors
        with torch.device("meta"):
            layer = nn.TransformerEncoderLayer(
                width, heads, hidden, 0.0, activation, eps[0], True, first, bias
            )
        layer.norm2.eps = eps[1]
        self.layer = filled(layer, tensors)
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, src_mask=self.mask, is_causal=self.causal)


def filled(layer: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A layer of no memory with these tensors for its own, in eval mode.

    Raises:
        BadInput: where they are not those that it has.
    """
    want = {k: w.shape for k, w in layer.state_dict().items()}
    got = {k: w.shape for k, w in tensors.items()}
    if got != want:
        odd = sorted({k for k in want.keys() | got.keys() if want.get(k) != got.get(k)})
        raise BadInput(f"the tensors {', '.join(odd[:4])} do not fit the sizes of the layer")
    layer.load_state_dict(dict(tensors), assign=True)
    return layer.requires_grad_().eval()
