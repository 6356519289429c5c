"""New shapes for the same numbers: flatten, unflatten, squeeze, reshape, view."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
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
        if call.name != "flatten":
            return None
        start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
        return cls() if (start, end) == (1, -1) else None

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)


@dataclass(frozen=True)
class Axes(_Reshaping):
    """y = x, some of its axes joined or parted, or axes of length 1 put in or dropped.

    Args:
        call: the tensor method that code calls, and its arguments.
    """

    call: str
    args: tuple[Any, ...]
    about: ClassVar[str] = "Unflatten"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.Flatten() as m:
                return cls._of(call, "flatten", m.start_dim, m.end_dim)
            case nn.Unflatten(unflattened_size=tuple() as size) as m:
                return cls._of(call, "unflatten", m.dim, tuple(size))
            case nn.Unflatten():
                raise call.refuse()
        match call.name:
            case "flatten":
                start = call.argument(1, "start_dim", 0)
                return cls._of(call, "flatten", start, call.argument(2, "end_dim", -1))
            case "unflatten":
                dim, sizes = call.argument(1, "dim"), call.argument(2, "sizes")
                if not isinstance(sizes, list | tuple):
                    raise call.refuse()
                return cls._of(call, "unflatten", dim, tuple(sizes))
            case "squeeze" | "unsqueeze":
                return cls._of(call, call.name, call.argument(1, "dim"))
        return None

    @classmethod
    def _of(cls, call: Call, name: str, axis: Any, *rest: Any) -> Op:
        if not isinstance(axis, int) or axis == 0 or len(call.feeds) != 1:
            raise call.refuse(f"{call.what} that may not keep the batch axis")
        return cls(name, (axis, *rest))

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        try:
            batch, *out = getattr(torch.empty(2, *got, device="meta"), self.call)(*self.args).shape
        except (RuntimeError, IndexError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise BadInput(f"cannot {self.call} a value of shape {got}: {reason}") from None
        if batch != 2 or math.prod(out) != math.prod(got):
            raise BadInput(f"makes one of the batch axis and others of a value of shape {got}")
        return tuple(out)


@dataclass(frozen=True)
class Reshape(_Reshaping):
    """y = x in shape `to` (one entry may be -1), the batch axis kept."""

    to: Shape
    about: ClassVar[str] = "reshape"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name not in ("view", "reshape"):
            return None
        batch, *rest = _sizes(call)
        if not (isinstance(batch, BatchSize) or batch == -1) or not rest:
            raise call.refuse(f"{call.name} that does not keep the batch axis")
        if not all(isinstance(n, int) for n in rest) or (batch == -1 and -1 in rest):
            raise call.refuse()
        return cls(tuple(rest))

    def shape(self, *inputs: Shape) -> Shape:
        n = math.prod(inputs[0])
        known = math.prod(k for k in self.to if k != -1)
        full = tuple(n // max(known, 1) if k == -1 else k for k in self.to)
        if math.prod(full) != n:
            raise BadInput(f"makes {self.to} of {n} values")
        return full


def _sizes(call: Call) -> list[Any]:
    sizes = call.args[1:] or (call.kwargs.get("shape", ()),)
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    return list(sizes) or [None]
