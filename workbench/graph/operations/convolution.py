"""Convolutions, as the linear maps that they are."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant
from workbench.graph.rules import Affine, Applied, Rule

_CONVOLVE = {1: F.conv1d, 2: F.conv2d}


@dataclass(frozen=True)
class Convolution(Op):
    """y = W * x + b over one or two axes, x `(channels, *size)`; zero padding, groups, strides."""

    weight_ref: Constant
    bias_ref: Constant | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    about: ClassVar[str] = "Conv1d, Conv2d"

    @property
    def weight(self) -> Tensor:
        return self.weight_ref.value

    @property
    def bias(self) -> Tensor | None:
        return None if self.bias_ref is None else self.bias_ref.value

    @property
    def axes(self) -> int:
        return self.weight.ndim - 2

    @classmethod
    def read(cls, call: Call) -> Op | None:
        module = call.module
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            if module.padding_mode != "zeros" or isinstance(module.padding, str):
                raise call.refuse(f"{type(module).__name__} with padding {module.padding_mode!r}")
            each = [tuple(v) for v in (module.stride, module.padding, module.dilation)]
            groups = module.groups
        elif call.name in ("conv1d", "conv2d"):
            given = [
                call.argument(3, "stride", 1), call.argument(4, "padding", 0),
                call.argument(5, "dilation", 1),
            ]  # fmt: skip
            if any(isinstance(v, str) for v in given):
                raise call.refuse()
            axes = int(call.name[4])
            each = [(v,) * axes if isinstance(v, int) else tuple(v) for v in given]
            groups = call.argument(6, "groups", 1)
        else:
            return None
        weight, bias = call.tensors(1, "weight", "bias")
        if len(call.feeds) != 1 or weight is None:
            raise call.refuse()
        return cls(weight, bias, *each, groups=groups)

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        channels = self.weight.shape[1] * self.groups
        if len(got) != 1 + self.axes or got[0] != channels:
            want = ", ".join([str(channels), *(["size"] * self.axes)])
            raise BadInput(f"takes ({want}) but is fed {got}: put an nn.Unflatten before it")
        empty = torch.empty(1, *got, device="meta")
        try:
            y = self._convolve(empty, self.weight.to("meta", empty.dtype), None)
        except RuntimeError as error:  # a kernel larger than what it stands on
            raise BadInput(f"is fed {got}: {error}") from None
        return tuple(y.shape[1:])

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _CONVOLVE[self.axes](
            x, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self._convolve(inputs[0], self.weight, self.bias)

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * math.prod(self.shape(*inputs)) * math.prod(self.weight.shape[1:])

    def rule(self, *inputs: Shape) -> Rule:
        out = self.shape(*inputs)
        weight = self.weight
        a = Applied(
            lambda x: self._convolve(x, weight, None),
            lambda x, p: self._convolve(x, weight.pow(p), None),
            inputs[0],
            self.flops(*inputs),
        )
        offset = None
        if self.bias is not None:
            offset = self.bias.repeat_interleave(math.prod(out[1:]))
        return Affine((a,), offset)
