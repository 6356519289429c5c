"""What every card of an operation has: its fields, how it is written, how it is made again."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from workbench import graph as graphs

Key = Annotated[str, Field(min_length=1, max_length=200, description="name of a tensor")]
Size = Annotated[int, Field(ge=1, le=1 << 24)]
Place = Annotated[int, Field(ge=0, le=1 << 24)]
Axes = Annotated[list[int], Field(min_length=1, max_length=8)]
Axis = Annotated[int, Field(ge=0, le=8)]
Tensors = Annotated[dict[str, Key], Field(max_length=128, description="by PyTorch's names")]
Per = Annotated[list[Size], Field(min_length=1, max_length=2, description="one number an axis")]

Fixed = Annotated[Literal[True] | None, Field(description="where training leaves it alone")]

O = TypeVar("O", bound=graphs.Op | graphs.Composite)
"""The operations that a card describes."""


class Strict(BaseModel):
    """A part of a card: no other fields, no text for a number, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Writing:
    """What a card is written from beside the operation.

    Args:
        inputs: the values that it takes, by number.
        shapes: of these values.
        put: keeps a tensor under the name of this part of the node; gives the name of the tensor.
    """

    inputs: list[int]
    shapes: Sequence[graphs.Shape]
    put: Callable[[str, Tensor], str]

    def kept(self, part: str, value: Any) -> str | None:
        """The name of a tensor or of a constant, kept; None where there is none."""
        tensor = value.value if isinstance(value, graphs.Constant) else value
        return None if tensor is None else self.put(part, tensor)

    def fixed(self, constant: graphs.Constant) -> Literal[True] | None:
        """What a card says of a constant that training leaves alone."""
        return None if constant.trained else True

    def tensors(self, layer: nn.Module) -> dict[str, str]:
        """The parameters of a layer, kept."""
        return {k: self.put(k, w) for k, w in layer.named_parameters()}


@dataclass(frozen=True)
class Making:
    """What a module is made from beside its card.

    Args:
        number: of the node, which errors name.
        get: looks a tensor up.
        dtype: of the model.
    """

    number: int
    get: Callable[[str], Tensor]
    dtype: torch.dtype

    def optional(self, key: str | None) -> Tensor | None:
        """The tensor of a name, None of none."""
        return None if key is None else self.get(key)

    def tensors(self, keys: dict[str, str]) -> dict[str, Tensor]:
        """The parameters of a layer."""
        return {k: self.get(key) for k, key in keys.items()}


class Node(Strict, Generic[O]):
    """An operation: what a card says of it, how that is written and how it is made again.

    A class of its own states its name or names as `op`, and fields for what else a card says.
    """

    writes: ClassVar[tuple[type[graphs.Op] | type[graphs.Composite], ...]]
    """The operations of a graph that are written as this card."""

    op: Any
    inputs: list[int]

    @classmethod
    @abstractmethod
    def written(cls, op: O, at: Writing) -> Self | None:
        """The card of one of these operations; None where another class writes it."""

    @abstractmethod
    def made(self, at: Making) -> nn.Module:
        """The module that it describes. Raises `BadInput` where tensors and sizes do not fit."""
