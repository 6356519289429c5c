"""Values that are repeated along axes of length 1, as sums and products repeat them."""

import math

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Shape
from workbench.graph.rules import Identity, LinearMap, selecting


def common(what: str, *shapes: Shape) -> Shape:
    """The shape of what is made of values of these shapes, all with a batch axis before them.

    Raises:
        BadInput: where they do not fit, or would mix the inputs of a batch.
    """
    try:
        if len({len(s) for s in shapes}) == 1:
            return tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        pass
    raise BadInput(f"{what} values of shapes {list(shapes)}")


def with_constant(what: str, got: Shape, constant: Tensor) -> Shape:
    """The shape of what is made of a value and of a tensor that is the same for all inputs.

    Raises:
        BadInput: where they do not fit, or would mix the inputs of a batch.
    """
    own = tuple(constant.shape)
    try:
        batch, *out = torch.broadcast_shapes((1, *got), own)
    except RuntimeError:
        batch, out = 0, []
    if batch != 1 or len(out) != len(got):
        raise BadInput(f"{what} {own} and a value of shape {got}")
    return tuple(out)


def by_channel(values: Tensor, got: Shape) -> Tensor:
    """One number a channel, for all numbers of a value of shape `got`, `(channels, ...)`."""
    return values.repeat_interleave(math.prod(got[1:]))


def spread(got: Shape, to: Shape) -> LinearMap:
    """The map from a value to the same repeated in shape `to`."""
    if got == to:
        return Identity()

    def repeated(x: Tensor) -> Tensor:
        return x.expand(len(x), *to)

    return selecting(repeated, got)
