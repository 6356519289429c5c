"""Convolutions, as the linear maps that they are."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Several, Shape
from workbench.graph.call import Call, Constant
from workbench.graph.operations.broadcast import by_channel
from workbench.graph.operations.pad import Pad
from workbench.graph.rules import Affine, Applied, Rule

_CONVOLVE = {1: F.conv1d, 2: F.conv2d}
_TURN_BACK = {1: F.conv_transpose1d, 2: F.conv_transpose2d}


@dataclass(frozen=True)
class _Convolving(Op):
    weight_ref: Constant
    bias_ref: Constant | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def weight(self) -> Tensor:
        return self.weight_ref.value

    @property
    def bias(self) -> Tensor | None:
        return None if self.bias_ref is None else self.bias_ref.value

    @property
    def axes(self) -> int:
        return self.weight.ndim - 2

    @property
    @abstractmethod
    def channels(self) -> int:
        """Of the input."""

    @abstractmethod
    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The value with another weight and bias."""

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        if len(got) != 1 + self.axes or got[0] != self.channels:
            want = ", ".join([str(self.channels), *(["size"] * self.axes)])
            raise BadInput(f"takes ({want}) but is fed {got}: put an nn.Unflatten before it")
        empty = torch.empty(1, *got, device="meta")
        try:
            y = self.convolved(empty, self.weight.to("meta", empty.dtype), None)
        except RuntimeError as error:  # a kernel larger than what it stands on
            raise BadInput(f"is fed {got}: {error}") from None
        return tuple(y.shape[1:])

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.convolved(inputs[0], self.weight, self.bias)

    def rule(self, *inputs: Shape) -> Rule:
        out = self.shape(*inputs)
        weight = self.weight
        a = Applied(
            lambda x: self.convolved(x, weight, None),
            lambda x, p: self.convolved(x, weight.pow(p), None),
            inputs[0],
            self.flops(*inputs),
        )
        offset = None
        if self.bias is not None:
            offset = by_channel(self.bias, out)
        return Affine((a,), offset)


@dataclass(frozen=True)
class Convolution(_Convolving):
    """y = W * x + b over one or two axes, x `(channels, *size)`; zero padding, groups, strides.

    Another padding is an operation of its own before it.
    """

    about: ClassVar[str] = "Conv1d, Conv2d"

    @classmethod
    def read(cls, call: Call) -> Op | Several | None:
        module = call.module
        padded = "zeros"
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            given = [module.stride, module.padding, module.dilation]
            groups, padded = module.groups, module.padding_mode
        elif call.name in ("conv1d", "conv2d"):
            given = [
                call.argument(3, "stride", 1), call.argument(4, "padding", 0),
                call.argument(5, "dilation", 1),
            ]  # fmt: skip
            groups = call.argument(6, "groups", 1)
        else:
            return None
        weight, bias = call.tensors(1, "weight", "bias")
        if len(call.feeds) != 1 or weight is None:
            raise call.refuse()
        kernel = tuple(weight.value.shape[2:])
        stride, padding, dilation = (_each(v, len(kernel)) for v in given)
        if padding == ("valid",):
            padding = (0,) * len(kernel)
        around = None
        if padding == ("same",):  # as much before as after, or one more after
            total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            padding = tuple(n // 2 for n in total)
            if any(n % 2 for n in total):
                around = Pad((0,) * len(total), tuple(n % 2 for n in total), "zeros")
            if padded != "zeros":
                after = tuple(n - n // 2 for n in total)
                around, padding = Pad(padding, after, padded), (0,) * len(kernel)
        elif padded != "zeros":
            around, padding = Pad(padding, padding, padded), (0,) * len(kernel)
        own = cls(weight, bias, stride, padding, dilation, groups)
        return own if around is None else Several(((around, (0,)), (own, (1,))))

    @property
    def channels(self) -> int:
        return self.weight.shape[1] * self.groups

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _CONVOLVE[self.axes](
            x, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * math.prod(self.shape(*inputs)) * math.prod(self.weight.shape[1:])


@dataclass(frozen=True)
class ConvolutionTranspose(_Convolving):
    """The transpose of a convolution over one or two axes, plus b; W `(in, out / groups, *size)`.

    Args:
        more: places that are added at the end of every axis (PyTorch's output_padding).
    """

    more: tuple[int, ...]
    about: ClassVar[str] = "ConvTranspose1d, ConvTranspose2d"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        module = call.module
        if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d):
            given = [module.stride, module.padding, module.dilation, module.output_padding]
            groups = module.groups
        elif call.name in ("conv_transpose1d", "conv_transpose2d"):
            given = [
                call.argument(3, "stride", 1), call.argument(4, "padding", 0),
                call.argument(7, "dilation", 1), call.argument(5, "output_padding", 0),
            ]  # fmt: skip
            groups = call.argument(6, "groups", 1)
        else:
            return None
        weight, bias = call.tensors(1, "weight", "bias")
        if len(call.feeds) != 1 or weight is None:
            raise call.refuse()
        stride, padding, dilation, more = (_each(v, weight.value.ndim - 2) for v in given)
        return cls(weight, bias, stride, padding, dilation, groups, more)

    @property
    def channels(self) -> int:
        return self.weight.shape[0]

    def shape(self, *inputs: Shape) -> Shape:
        steps = zip(self.more, self.stride, self.dilation, strict=True)
        if any(k >= max(s, d) for k, s, d in steps):
            raise BadInput(f"adds {self.more} places where strides and dilations are no more")
        return super().shape(*inputs)

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _TURN_BACK[self.axes](
            x, weight, bias, self.stride, self.padding, self.more, self.groups, self.dilation
        )

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * math.prod(inputs[0]) * math.prod(self.weight.shape[1:])


def _each(value: Any, axes: int) -> tuple[Any, ...]:
    match value:
        case int():
            return (value,) * axes
        case str():
            return (value,)
    return tuple(value)
