"""New shapes for the same numbers: flatten, unflatten, reshape, view."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import BatchSize, Call
from workbench.graph.rules import Affine, Identity, Rule


class _Reshaping(Op):
    """y = x, in another shape."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return x.reshape(len(x), *self.shape(tuple(x.shape[1:])))

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((Identity(),))


@dataclass(frozen=True)
class Flatten(_Reshaping):
    """y = x, all but the batch axis made one."""

    about: ClassVar[str] = "Flatten"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.Flatten(start_dim=1, end_dim=-1):
                return cls()
            case nn.Flatten():
                raise call.refuse()
        if call.name != "flatten":
            return None
        start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
        if start != 1 or end != -1:
            raise call.refuse()
        return cls()

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)


@dataclass(frozen=True)
class Reshape(_Reshaping):
    """y = x in shape `to` (one entry may be -1), the batch axis kept.

    Where `first` holds, the first axis alone takes the shape `to`, and those after it are kept.
    """

    to: Shape
    first: bool = False
    about: ClassVar[str] = "Unflatten, reshape"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.Unflatten(dim=1, unflattened_size=tuple() as size):
                return cls(tuple(size), first=True)
            case nn.Unflatten():
                raise call.refuse()
        if call.name == "unflatten":
            dim, sizes = call.argument(1, "dim"), call.argument(2, "sizes")
            if dim != 1 or not isinstance(sizes, list | tuple):
                raise call.refuse()
            return cls(tuple(sizes), first=True)
        if call.name not in ("view", "reshape"):
            return None
        batch, *rest = _sizes(call)
        if not (isinstance(batch, BatchSize) or batch == -1) or not rest:
            raise call.refuse(f"{call.name} that does not keep the batch axis")
        if not all(isinstance(n, int) for n in rest) or (batch == -1 and -1 in rest):
            raise call.refuse()
        return cls(tuple(rest))

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        n, rest = (got[0], got[1:]) if self.first else (math.prod(got), ())
        known = math.prod(k for k in self.to if k != -1)
        full = tuple(n // max(known, 1) if k == -1 else k for k in self.to)
        if math.prod(full) != n:
            raise BadInput(f"makes {self.to} of {n} values")
        return (*full, *rest)


def _sizes(call: Call) -> list[Any]:
    sizes = call.args[1:] or (call.kwargs.get("shape", ()),)
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    return list(sizes) or [None]
