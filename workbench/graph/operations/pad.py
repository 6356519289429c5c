"""Values put around a value: zeros, or the value's own from the edge, the other side, backward."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.operations.rearranging import Rearranging, is_int

MODES = {
    "zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular",
}  # fmt: skip
"""How convolutions call them, and how `F.pad` does."""


@dataclass(frozen=True)
class Pad(Rearranging):
    """y = x with so many values before and after it along each of its last axes."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    mode: str
    about: ClassVar[str] = "padding"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.ZeroPad1d() | nn.ZeroPad2d() | nn.ConstantPad1d() | nn.ConstantPad2d() as m:
                sizes, mode, value = m.padding, "constant", getattr(m, "value", 0)
            case nn.ReflectionPad1d() | nn.ReflectionPad2d() as m:
                sizes, mode, value = m.padding, "reflect", 0
            case nn.ReplicationPad1d() | nn.ReplicationPad2d() as m:
                sizes, mode, value = m.padding, "replicate", 0
            case nn.CircularPad1d() | nn.CircularPad2d() as m:
                sizes, mode, value = m.padding, "circular", 0
            case _ if call.name == "pad" and len(call.feeds) == 1:
                sizes, mode = call.argument(1, "pad"), call.argument(2, "mode", "constant")
                value = call.argument(3, "value") or 0
            case _:
                return None
        sizes = tuple(sizes) if isinstance(sizes, list | tuple) else ()
        if not sizes or len(sizes) % 2 or not all(is_int(n) and n >= 0 for n in sizes):
            raise call.refuse(f"{call.what} that crops, or by sizes that are not known")
        if mode not in MODES.values() or value != 0:
            raise call.refuse(f"{call.what} by other than 0 or the value's own")
        own = next(k for k, torchs in MODES.items() if torchs == mode)
        return cls(sizes[-2::-2], sizes[-1::-2], own)

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if len(self.before) > len(got):
            raise BadInput(f"puts values around {len(self.before)} axes of a value of {got}")
        try:
            return tuple(self.moved(torch.empty(1, *got, device="meta")).shape[1:])
        except (RuntimeError, NotImplementedError) as error:
            raise BadInput(f"is fed {got}: {str(error).splitlines()[0]}") from None

    def moved(self, x: Tensor) -> Tensor:
        pairs = zip(reversed(self.before), reversed(self.after), strict=True)
        return F.pad(x, [n for pair in pairs for n in pair], MODES[self.mode])
