"""Maxima over windows, one value after the other: max(a, b) = b + relu(a - b)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Op, Shape, Step
from workbench.graph.call import Call
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.rules import Affine, Applied, Identity, Rule
from workbench.math.activations import ReLU


@dataclass(frozen=True)
class _AtPlace(Op):
    """Looks at one place of every window along one axis, where that place is not padding.

    Args:
        axis: -1 or -2.
        place: in the window, from 0.
        kernel, stride, padding: of the windows.
    """

    axis: int
    place: int
    kernel: int
    stride: int
    padding: int

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None  # stands in no code: `MaxPool` is made of it

    @property
    def first(self) -> int:
        """The first window whose place lies in x."""
        return max(0, -((self.place - self.padding) // self.stride))

    def windows(self, length: int) -> int:
        """How many windows there are on an axis of this length."""
        return (length + 2 * self.padding - self.kernel) // self.stride + 1

    def inside(self, length: int) -> int:
        """How many of them have this place in x."""
        last = (length - 1 + self.padding - self.place) // self.stride
        return min(self.windows(length), last + 1) - self.first

    def counted(self, got: Shape, count: int) -> Shape:
        if len(got) < 1 - self.axis or count < 1:
            raise BadInput(
                f"takes windows of {self.kernel} along axis {self.axis} but is fed {got}"
            )
        return tuple(count if i == len(got) + self.axis else n for i, n in enumerate(got))

    def pick(self, x: Tensor) -> Tensor:
        start = self.first * self.stride - self.padding + self.place
        count = self.inside(x.shape[self.axis])
        stop = start + (count - 1) * self.stride + 1
        run = slice(start, stop, self.stride)
        return x[..., run] if self.axis == -1 else x[..., run, :]


@dataclass(frozen=True)
class Pick(_AtPlace):
    """y = the value at one place of every window."""

    about: ClassVar[str] = "one place of every window"

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        return self.counted(got, self.inside(got[self.axis]) if len(got) >= -self.axis else 0)

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.pick(inputs[0])

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((_selection(self.pick, inputs[0]),))


@dataclass(frozen=True)
class Gap(_AtPlace):
    """y = the value at one place less what is known of the window, of windows with that place."""

    about: ClassVar[str] = "by how much a value is above another"

    def shape(self, *inputs: Shape) -> Shape:
        got, _ = inputs
        return self.counted(got, self.inside(got[self.axis]))

    def _known(self, at: Tensor, count: int) -> Tensor:
        return at.narrow(self.axis, self.first, count)

    def __call__(self, *inputs: Tensor) -> Tensor:
        x, at = inputs
        return self.pick(x) - self._known(at, self.inside(x.shape[self.axis]))

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(self.shape(*inputs)))

    def rule(self, *inputs: Shape) -> Rule:
        got, known = inputs
        count = self.inside(got[self.axis])
        less = Applied(
            lambda x: -self._known(x, count), lambda x, p: (-1) ** p * self._known(x, count),
            known, 0.0,
        )  # fmt: skip
        return Affine((_selection(self.pick, got), less))


@dataclass(frozen=True)
class Raise(Op):
    """y = what is known of every window, raised from window `first` on."""

    axis: int
    first: int
    about: ClassVar[str] = "sums over some windows"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def _spread(self, over: Tensor, length: int) -> Tensor:
        after = length - self.first - over.shape[self.axis]
        return F.pad(over, (0, 0) * (-1 - self.axis) + (self.first, after))

    def __call__(self, *inputs: Tensor) -> Tensor:
        at, over = inputs
        return at + self._spread(over, at.shape[self.axis])

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[1]))

    def rule(self, *inputs: Shape) -> Rule:
        known, over = inputs
        length = known[self.axis]
        return Affine((Identity(), _selection(lambda x: self._spread(x, length), over)))


def _selection(function: Any, shape: Shape) -> Applied:
    """A linear map whose entries are 0 and 1."""
    return Applied(function, lambda x, p: function(x), shape, 0.0)


@dataclass(frozen=True)
class MaxPool(Composite):
    """Maxima over windows of the last one or two axes, x `(channels, *size)`.

    Exact for what takes ReLUs exactly (bounds, rays). In propagation the mean and the variance of a
    maximum of two are those of two jointly Gaussian variables (Clark 1961), exactly; of more, each
    maximum is presumed Gaussian in turn, first along the last axis. (Means alone, which take b and
    a - b for independent, come out too high.) It is put before a ReLU, a tanh or a step that it
    follows: what these leave is far from Gaussian. A value is never compared with itself, nor with
    padding.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    about: ClassVar[str] = "MaxPool"

    @staticmethod
    def before(op: Op) -> bool:
        return isinstance(op, Elementwise) and op.row.rises

    @classmethod
    def read(cls, call: Call) -> "MaxPool | None":
        match call.module:
            case nn.MaxPool1d() | nn.MaxPool2d() as m:
                sizes = m.kernel_size, m.stride, m.padding
                rest = (m.dilation, m.ceil_mode, m.return_indices)
            case _ if call.name in ("max_pool1d", "max_pool2d") and len(call.feeds) == 1:
                names = ("kernel_size", "stride", "padding")
                sizes = tuple(call.argument(1 + i, k) for i, k in enumerate(names))
                more = (("dilation", 1), ("ceil_mode", False), ("return_indices", False))
                rest = tuple(call.argument(4 + i, k, usual) for i, (k, usual) in enumerate(more))
            case _:
                return None
        axes = 1 if "1d" in (call.name or type(call.module).__name__) else 2
        kernel, stride, padding = (_each(v, axes) for v in (sizes[0], sizes[1] or sizes[0],
                                                            sizes[2] or 0))  # fmt: skip
        if _each(rest[0], axes) != (1,) * axes or any(rest[1:]):
            raise call.refuse(f"{call.what} with dilation, ceil_mode or return_indices")
        if any(2 * p >= k for k, p in zip(kernel, padding, strict=True)):
            raise call.refuse(f"{call.what} with a padding of half its kernel")
        return cls(kernel, stride, padding)

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        found: list[Step] = []

        def put(op: Op, *inputs: int) -> int:
            found.append((op, inputs))
            return len(found)

        at = 0
        for i in range(len(self.kernel) - 1, -1, -1):
            axis, x = i - len(self.kernel), at
            kernel, window = self.kernel[i], (self.kernel[i], self.stride[i], self.padding[i])
            always = self.padding[i]  # the first place that every window has in x
            at = put(Pick(axis, always, *window), x)
            for k in range(kernel):
                if k != always:
                    gap = Gap(axis, k, *window)
                    over = put(Elementwise(ReLU()), put(gap, x, at))
                    at = put(Raise(axis, gap.first), at, over)
        return tuple(found)


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
