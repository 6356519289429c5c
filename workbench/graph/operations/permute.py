"""Axes in another order, and backward."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, leaves
from workbench.graph.operations.rearranging import Rearranging, is_int

ORDERS = ("transpose", "swapaxes", "swapdims", "permute", "movedim", "moveaxis")


@dataclass(frozen=True, eq=False)
class Permute(Rearranging):
    """y = x with its axes in another order.

    Args:
        call: the tensor method that code calls, and its arguments.
    """

    call: str
    args: tuple[Any, ...]
    about: ClassVar[str] = "permute"

    @classmethod
    def read(cls, call: Call) -> "Op | None":
        if call.name == "getattr" and call.args[1:] == ("mT",) and call.feeds:
            return cls("transpose", (-1, -2))
        if call.name not in ORDERS:
            return None
        args = (*call.args[1:], *call.kwargs.values())
        axes = list(leaves(args, object))
        if len(call.feeds) != 1 or not axes or not all(map(is_int, axes)):
            raise call.refuse()
        if call.kwargs and list(call.kwargs) != ["dims"]:
            raise call.refuse()
        return cls(call.name, args)

    def order(self, axes: int) -> tuple[int, ...]:
        """Which axis of a value of so many (without the batch axis) comes where.

        Raises:
            BadInput: where there are not these axes, or the batch axis would move.
        """
        sizes = torch.empty(*range(2, axes + 3), device="meta")  # an axis is told by its length
        try:
            batch, *order = (n - 2 for n in getattr(sizes, self.call)(*self.args).shape)
        except (RuntimeError, IndexError) as error:
            raise BadInput(f"orders {axes + 1} axes anew: {str(error).splitlines()[0]}") from None
        if batch != 0:
            raise BadInput("moves the batch axis")
        return tuple(k - 1 for k in order)

    def shape(self, *inputs: Shape) -> Shape:
        return tuple(inputs[0][k] for k in self.order(len(inputs[0])))

    def moved(self, x: Tensor) -> Tensor:
        return x.permute(0, *(k + 1 for k in self.order(x.ndim - 1)))


@dataclass(frozen=True)
class Flip(Rearranging):
    """y = x backward along some axes, counted with the batch axis."""

    axes: tuple[int, ...]
    about: ClassVar[str] = "flip"

    @classmethod
    def read(cls, call: Call) -> "Op | None":
        if call.name != "flip":
            return None
        given: Any = call.args[1:] or (call.kwargs.get("dims"),)
        given = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
        axes = tuple(k for k in given if is_int(k) and k != 0)
        if len(call.feeds) != 1 or not axes or len(axes) != len(given):
            raise call.refuse()
        return cls(axes)

    def places(self, axes: int) -> tuple[int, ...]:
        """The axes of a value of so many, without the batch axis, from 0 on."""
        found = [k - 1 if k > 0 else axes + k for k in self.axes]
        if not all(0 <= k < axes for k in found) or len(set(found)) < len(found):
            raise BadInput(f"turns axes {list(self.axes)} of {axes + 1}")
        return tuple(found)

    def shape(self, *inputs: Shape) -> Shape:
        assert self.places(len(inputs[0]))
        return inputs[0]

    def moved(self, x: Tensor) -> Tensor:
        return x.flip([k + 1 for k in self.places(x.ndim - 1)])
