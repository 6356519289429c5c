"""Values where a mask of constants has them, something else elsewhere."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, Feed, constant
from workbench.graph.operations.broadcast import spread, with_constant
from workbench.graph.rules import Affine, Diagonal, Identity, Rule

NOTHING = -300.0
"""Stands for minus infinity, and for what is put for it: in a softmax it is as good as 0."""
_FAR = 40.0
"""How far above it what stays must lie to be all that a softmax or a maximum sees, to rounding."""
_ALL_BUT = -1e4


@dataclass(frozen=True, eq=False)
class Masked(Op):
    """y = x where `keep`, elsewhere `fill`; below -10,000 it is -300, which a softmax makes 0.

    Args:
        keep: a tensor of the model that is true where x stays, or, where `turned`, where it goes.
        fill: a number, or a tensor of the model; None is minus infinity.
    """

    keep: Constant
    fill: Constant | None
    turned: bool = False
    about: ClassVar[str] = "masked_fill, where"

    @classmethod
    def read(cls, call: Call) -> "Op | None":
        match call.name:
            case "masked_fill":
                x, mask, fill = (*call.args, call.kwargs.get("value"))[:3]
                turned = True
            case "where" if len(call.args) == 3 and len(call.feeds) == 1:
                mask, x, fill = call.args
                turned = not isinstance(x, Feed)
                x, fill = (fill, x) if turned else (x, fill)
            case _:
                return None
        if isinstance(fill, Constant) and bool((fill.value == -math.inf).all()):
            fill = -math.inf
        given, fill = fill, constant(fill)
        if (
            type(x) is not Feed
            or not isinstance(mask, Constant)
            or (fill is None and given != -math.inf)
        ):
            raise call.refuse(f"{call.name} other than of a value, a mask of constants, a number")
        return cls(mask, fill, turned)

    def mask(self) -> Tensor:
        """Where x stays."""
        mask = self.keep.value
        if mask.dtype != torch.bool:
            raise BadInput(f"takes a mask of truth values, got {mask.dtype}")
        return ~mask if self.turned else mask

    def shape(self, *inputs: Shape) -> Shape:
        out = with_constant("masks", inputs[0], self.mask())
        return with_constant("fills", out, self.filling())

    def filling(self) -> Tensor:
        """What stands elsewhere, finite."""
        if self.fill is None:
            return torch.tensor(NOTHING, dtype=torch.float64)
        fill = self.fill.value
        return torch.where(fill < _ALL_BUT, NOTHING, fill)

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return torch.where(self.mask(), x, self.filling().to(x.dtype))

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        out = self.shape(got)
        mask = self.mask().expand(1, *out).reshape(-1)
        fill = self.filling().expand(1, *out).reshape(-1)
        # In float32 where that holds it, so that it takes the precision of what it meets.
        fill = fill.float() if bool((fill.float() == fill).all()) else fill
        keep = mask.float()
        repeated = spread(got, out)
        first = Diagonal(keep) if isinstance(repeated, Identity) else repeated.times(keep)
        away = bool((fill[~mask] == NOTHING).any())
        least = torch.where(mask, NOTHING + _FAR, -math.inf) if away else None
        return Affine((first,), torch.where(mask, 0.0, fill), least)


def parted(mask: Tensor) -> tuple[Tensor, Tensor | None]:
    """Where an additive mask is finite, and what it adds there; None where that is 0.

    Raises:
        BadInput: where a row of it leaves nothing.
    """
    keep = mask if mask.dtype == torch.bool else mask > -math.inf
    if not bool(keep.any(-1).all()):
        raise BadInput("masks all keys of a query")
    if mask.dtype == torch.bool or not bool(mask.masked_fill(~keep, 0.0).any()):
        return keep, None
    return keep, mask.masked_fill(~keep, 0.0)


def known_mask(call: Call, given: Any) -> Constant | None:
    """A mask of the model, or none. Raises `Unsupported` where it depends on the input."""
    if given is None or isinstance(given, Constant):
        return given
    raise call.refuse(f"{call.what} with a mask that depends on the input")
