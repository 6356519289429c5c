"""Means over windows and over axes."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.rules import Affine, Applied, Rule

_PADDED = ("padding", "ceil_mode", "divisor_override")


class _Averaging(Op):
    """Every value of y is the mean of `count` values of x."""

    @abstractmethod
    def count(self, got: Shape) -> float:
        """How many values of x, of shape `got`, make one of y."""

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        count = self.count(got)  # every weight is 1 / count
        a = Applied(self, lambda x, p: self(x) * count ** (1 - p), got, self.flops(got))
        return Affine((a,))


@dataclass(frozen=True)
class AvgPool(_Averaging):
    """Means over windows of the last one or two axes, x `(channels, *size)`, without padding."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    about: ClassVar[str] = "AvgPool"

    def count(self, got: Shape) -> float:
        return float(math.prod(self.kernel))

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.AvgPool1d() as m:
                kernel, stride, rest = m.kernel_size, m.stride, (m.padding, m.ceil_mode)
            case nn.AvgPool2d() as m:
                rest = (m.padding, m.ceil_mode, m.divisor_override)
                kernel, stride = m.kernel_size, m.stride
            case _ if call.name in ("avg_pool1d", "avg_pool2d") and len(call.feeds) == 1:
                kernel, stride = call.argument(1, "kernel_size"), call.argument(2, "stride")
                rest = (*call.args[3:], *(call.kwargs.get(k) for k in _PADDED))
            case _:
                return None
        axes = 1 if "1d" in (call.name or type(call.module).__name__) else 2
        if any(any(v) if isinstance(v, tuple | list) else v for v in rest):
            raise call.refuse(f"{call.what} with padding, ceil_mode or a divisor")
        return cls(_each(kernel, axes), _each(stride or kernel, axes))

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if len(got) != 1 + len(self.kernel):
            raise BadInput(f"takes {1 + len(self.kernel)} axes but is fed {got}")
        try:
            y = self(torch.empty(1, *got, device="meta"))
        except RuntimeError as error:  # a window larger than what it stands on
            raise BadInput(f"is fed {got}: {error}") from None
        return tuple(y.shape[1:])

    def __call__(self, *inputs: Tensor) -> Tensor:
        pool: Callable[..., Tensor] = F.avg_pool1d if len(self.kernel) == 1 else F.avg_pool2d
        return pool(inputs[0], self.kernel, self.stride)


@dataclass(frozen=True)
class MeanOver(_Averaging):
    """Means over whole axes `dims` (without the batch axis, from 0), kept as 1 or dropped."""

    dims: tuple[int, ...]
    keep: bool
    about: ClassVar[str] = "AdaptiveAvgPool to 1, means over axes"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        module = call.module
        if isinstance(module, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
            axes = 1 if isinstance(module, nn.AdaptiveAvgPool1d) else 2
            if _each(module.output_size, axes) != (1,) * axes:
                raise call.refuse(f"{call.what} to a size above 1")
            return cls(tuple(range(-axes, 0)), True)
        if call.name != "mean" or len(call.feeds) != 1:
            return None
        dims, keep = call.argument(1, "dim"), call.argument(2, "keepdim", False)
        dims = (dims,) if isinstance(dims, int) else dims
        if not dims or 0 in dims or call.kwargs.get("dtype") is not None:
            raise call.refuse("mean over the batch axis")
        return cls(tuple(k - 1 if k > 0 else k for k in dims), bool(keep))

    def count(self, got: Shape) -> float:
        return math.prod(got) / math.prod(self.shape(got))

    def _places(self, axes: int) -> set[int]:
        places = {k % axes if -axes <= k < axes else axes for k in self.dims}
        if axes in places or len(places) != len(self.dims):
            raise BadInput(f"takes the mean over axes {self.dims} of {axes}")
        return places

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        places = self._places(len(got))
        if self.keep:
            return tuple(1 if i in places else n for i, n in enumerate(got))
        return tuple(n for i, n in enumerate(got) if i not in places)

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return x.mean([1 + k for k in sorted(self._places(x.ndim - 1))], keepdim=self.keep)


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
