"""Means over windows, means and sums over axes."""

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


class _Averaging(Op):
    """Every value of y is a sum of values of x with equal weights."""

    @abstractmethod
    def weight(self, got: Shape) -> float | None:
        """Of every value of x, of shape `got`, that makes one of y; None where they differ."""

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        w = self.weight(got)
        entries = None if w is None else lambda x, p: self(x) * w ** (p - 1)
        return Affine((Applied(self, entries, got, self.flops(got)),))


@dataclass(frozen=True)
class AvgPool(_Averaging):
    """Means over windows of the last one or two axes, x `(channels, *size)`.

    Args:
        padding: zeros on either side of each axis, which count where `whole`.
        ceil: whether a window may begin in x and end beyond it.
        divisor: by what sums are divided, where it is not how many values count.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    ceil: bool = False
    whole: bool = True
    divisor: int | None = None
    about: ClassVar[str] = "AvgPool"

    def weight(self, got: Shape) -> float | None:
        if self.divisor is not None:
            return 1.0 / self.divisor
        if self.ceil or (any(self.padding) and not self.whole):
            return None
        return 1.0 / math.prod(self.kernel)

    @classmethod
    def read(cls, call: Call) -> Op | None:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        match call.module:
            case nn.AvgPool1d() | nn.AvgPool2d() as m:
                given = [getattr(m, k) for k in names]
                divisor = getattr(m, "divisor_override", None)
            case _ if call.name in ("avg_pool1d", "avg_pool2d") and len(call.feeds) == 1:
                usual = (None, None, 0, False, True)
                given = [
                    call.argument(1 + i, k, v)
                    for i, (k, v) in enumerate(zip(names, usual, strict=True))
                ]
                divisor = call.argument(6, "divisor_override")
            case _:
                return None
        axes = 1 if "1d" in (call.name or type(call.module).__name__) else 2
        kernel, stride, padding, ceil, whole = given
        kernel, stride, padding = (_each(v, axes) for v in (kernel, stride or kernel, padding))
        return cls(kernel, stride, padding, bool(ceil), bool(whole), divisor)

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
        (x,) = inputs
        pool: Callable[..., Tensor] = F.avg_pool1d if len(self.kernel) == 1 else F.avg_pool2d
        more = () if len(self.kernel) == 1 else (self.divisor,)
        return pool(x, self.kernel, self.stride, self.padding, self.ceil, self.whole, *more)


@dataclass(frozen=True)
class AdaptivePool(_Averaging):
    """Means over windows of the last one or two axes, as many windows along each as stated."""

    to: tuple[int | None, ...]
    about: ClassVar[str] = "AdaptiveAvgPool"

    @classmethod
    def read(cls, call: Call) -> "Op | None":
        match call.module:
            case nn.AdaptiveAvgPool1d() | nn.AdaptiveAvgPool2d() as m:
                to: Any = m.output_size
            case _ if call.name in ("adaptive_avg_pool1d", "adaptive_avg_pool2d"):
                to = call.argument(1, "output_size")
            case _:
                return None
        axes = 1 if "1d" in (call.name or type(call.module).__name__) else 2
        to = _each(to, axes)
        if len(to) != axes or len(call.feeds) != 1:
            raise call.refuse()
        return MeanOver(tuple(range(-axes, 0)), True) if to == (1,) * axes else cls(to)

    def sizes(self, got: Shape) -> tuple[int, ...]:
        """How many windows there are along each axis. Raises `BadInput` where x has not these."""
        if len(got) != 1 + len(self.to):
            raise BadInput(f"takes {1 + len(self.to)} axes but is fed {got}")
        return tuple(n if k is None else k for n, k in zip(got[1:], self.to, strict=True))

    def weight(self, got: Shape) -> float | None:
        sizes = self.sizes(got)
        if any(n % k for n, k in zip(got[1:], sizes, strict=True)):
            return None
        return math.prod(sizes) / math.prod(got[1:])

    def shape(self, *inputs: Shape) -> Shape:
        return (inputs[0][0], *self.sizes(inputs[0]))

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        sizes = self.sizes(tuple(x.shape[1:]))
        pool: Callable[..., Tensor] = F.adaptive_avg_pool2d
        return (F.adaptive_avg_pool1d if len(sizes) == 1 else pool)(x, sizes)


@dataclass(frozen=True)
class MeanOver(_Averaging):
    """Means over whole axes `dims` (without the batch axis, from 0), kept as 1 or dropped."""

    dims: tuple[int, ...]
    keep: bool
    call: ClassVar[str] = "mean"
    about: ClassVar[str] = "means"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name != cls.call or len(call.feeds) != 1:
            return None
        dims, keep = call.argument(1, "dim"), call.argument(2, "keepdim", False)
        dims = (dims,) if isinstance(dims, int) else dims
        if not dims or 0 in dims or call.kwargs.get("dtype") is not None:
            raise call.refuse(f"{cls.call} over the batch axis")
        return cls(tuple(k - 1 if k > 0 else k for k in dims), bool(keep))

    def weight(self, got: Shape) -> float | None:
        return math.prod(self.shape(got)) / math.prod(got)

    def _places(self, axes: int) -> set[int]:
        places = {k % axes if -axes <= k < axes else axes for k in self.dims}
        if axes in places or len(places) != len(self.dims):
            raise BadInput(f"takes the {self.call} over axes {self.dims} of {axes}")
        return places

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        places = self._places(len(got))
        if self.keep:
            return tuple(1 if i in places else n for i, n in enumerate(got))
        return tuple(n for i, n in enumerate(got) if i not in places)

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return x.mean(self.axes_of(x), keepdim=self.keep)

    def axes_of(self, x: Tensor) -> list[int]:
        """The axes of a batch."""
        return [1 + k for k in sorted(self._places(x.ndim - 1))]


@dataclass(frozen=True)
class SumOver(MeanOver):
    """Sums over whole axes."""

    call: ClassVar[str] = "sum"
    about: ClassVar[str] = "sums over axes"

    def weight(self, got: Shape) -> float | None:
        return 1.0

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return x.sum(self.axes_of(x), keepdim=self.keep)


def _each(value: Any, axes: int) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return tuple(value) * (axes if len(value) == 1 else 1)
    return (value,) * axes
