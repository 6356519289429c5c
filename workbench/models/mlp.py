"""Multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.activations import ACTIVATIONS, activation
from workbench.models.network import (
    Abs,
    ClampMax,
    ClampMin,
    Cos,
    Exp,
    Heaviside,
    Network,
    Power,
    Sign,
    Sin,
    Square,
    chain,
)

_OWN: dict[str, Callable[..., nn.Module]] = {
    "abs": Abs, "square": Square, "sign": Sign, "heaviside": Heaviside,
    "tanh_gelu": lambda: nn.GELU(approximate="tanh"), "clamp_min": ClampMin, "clamp_max": ClampMax,
    "pow": Power, "exp": Exp, "sin": Sin, "cos": Cos,
}  # fmt: skip
"""Of the activations that no module of PyTorch applies under their name alone."""


def activation_module(
    name: str, dtype: torch.dtype = torch.float64, **settings: float
) -> nn.Module:
    """The module of an activation's name, a row of `math.activations`.

    Args:
        settings: of the row, for instance `negative_slope` of `leaky_relu`.

    Raises:
        BadInput: for a name or settings that are not known.
    """
    if name not in ACTIVATIONS:
        raise BadInput(f"unknown activation {name!r}: use one of {', '.join(ACTIVATIONS)}")
    row = activation(name, **settings)
    if row.torch_module is None:
        return _OWN[name](**settings).to(dtype)
    return row.torch_module(**row.settings())


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
