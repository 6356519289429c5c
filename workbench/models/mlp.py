"""Multilayer perceptrons."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.network import Heaviside, Network, Sign, chain

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sign": Sign, "heaviside": Heaviside,
}  # fmt: skip


def activation_module(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """The torch module of an activation's name."""
    if name not in _ACTIVATIONS:
        raise BadInput(f"unknown activation {name!r}: use one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]().to(dtype)


def mlp(
    widths: Sequence[int],
    generator: torch.Generator,
    activation: str = "relu",
    bias_std: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> Network:
    """A random MLP with He initialisation: weights N(0, 2 / fan_in), biases N(0, bias_std^2).

    Args:
        widths: input, hidden and output widths; the last layer is linear.
    """
    if len(widths) < 2:
        raise BadInput(f"an mlp needs at least an input and an output width, got {list(widths)}")
    parts: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weight = torch.randn(fan_out, fan_in, generator=generator, dtype=dtype)
        bias = torch.randn(fan_out, generator=generator, dtype=dtype) * bias_std
        parts.append(dense(weight * (2.0 / fan_in) ** 0.5, bias))
        if i < len(widths) - 2:
            parts.append(activation_module(activation, dtype))
    return chain(parts)


def dense(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """An `nn.Linear` that holds the given tensors."""
    rows, cols = weight.shape
    if bias is not None and bias.shape != (rows,):
        raise BadInput(f"a linear map to {rows} outputs needs a bias ({rows},), got {bias.shape}")
    layer = nn.Linear(cols, rows, bias=bias is not None, device="meta", dtype=weight.dtype)
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer
