"""Images made larger or smaller, each new value from a few old ones."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.operations.rearranging import is_int
from workbench.graph.rules import Affine, Applied, Rule, selecting

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic")


@dataclass(frozen=True)
class Resize(Op):
    """y = x `(channels, *size)` at other sizes (`to`), or at sizes times `by`, by interpolation."""

    to: tuple[int, ...] | None
    by: tuple[float, ...] | None
    mode: str
    corners: bool | None
    about: ClassVar[str] = "Upsample"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.Upsample() as m:
                to, by, mode, corners = m.size, m.scale_factor, m.mode, m.align_corners
                more = m.recompute_scale_factor
            case _ if call.name == "interpolate" and len(call.feeds) == 1:
                names = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")
                usual = (None, None, "nearest", None, None)
                given = [
                    call.argument(1 + i, k, v)
                    for i, (k, v) in enumerate(zip(names, usual, strict=True))
                ]
                to, by, mode, corners, more = given
                more = more or call.argument(6, "antialias", False)
            case _:
                return None
        if mode not in MODES or more or (to is None) == (by is None):
            raise call.refuse(f"{call.what} in mode {mode!r}, or with other settings")
        each: Any = to if by is None else by
        sizes = tuple(each) if isinstance(each, list | tuple) else (each,)
        if not all(is_int(n) or isinstance(n, float) for n in sizes):
            raise call.refuse()
        return cls(sizes if by is None else None, None if by is None else sizes, mode, corners)

    def each(self, axes: int) -> tuple[list[int] | None, list[float] | None]:
        """Sizes and factors, one for each of so many axes."""
        repeat = axes if len(self.to or self.by or ()) == 1 else 1
        to = None if self.to is None else list(self.to) * repeat
        return to, None if self.by is None else list(self.by) * repeat

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        sizes = self.to or self.by or ()
        if len(got) < 2 or len(sizes) not in (1, len(got) - 1):
            raise BadInput(f"resizes {len(sizes)} axes of (channels, size) but is fed {got}")
        try:
            return tuple(self(torch.empty(1, *got, device="meta")).shape[1:])
        except (RuntimeError, ValueError, NotImplementedError, OverflowError) as error:
            raise BadInput(f"is fed {got}: {str(error).splitlines()[0]}") from None

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        to, by = self.each(x.ndim - 2)
        return F.interpolate(x, to, by, self.mode, self.corners)

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        if self.mode.startswith("nearest"):
            return Affine((selecting(self, got),))
        return Affine((Applied(self, None, got, 0.0),))
