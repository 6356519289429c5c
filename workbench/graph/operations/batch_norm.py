"""Batch normalisation by fixed means and variances: an affine map of every channel."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, present
from workbench.graph.operations.broadcast import by_channel
from workbench.graph.rules import Affine, Diagonal, Rule

_PARTS = ("running_mean", "running_var", "weight", "bias")


@dataclass(frozen=True)
class BatchNorm(Op):
    """y = gamma (x - mean) / sqrt(var + eps) + beta by channel, x `(channels, ...)`.

    The mean and the variance are those that training left; in training mode they would be the
    batch's own, and the network no function of one input.
    """

    mean: Constant
    var: Constant
    weight: Constant | None
    bias: Constant | None
    eps: float
    about: ClassVar[str] = "BatchNorm in eval mode"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        match call.module:
            case nn.BatchNorm1d() | nn.BatchNorm2d() as m:
                if m.running_mean is None or m.running_var is None:
                    raise call.refuse(f"{call.what} without running statistics")
                if m.training:
                    raise call.refuse(f"{call.what} in training mode (call model.eval() first)")
                eps = m.eps
            case _ if call.name == "batch_norm" and len(call.feeds) == 1:
                if call.argument(5, "training", False):
                    raise call.refuse()
                eps = call.argument(7, "eps", 1e-5)
            case _:
                return None
        mean, var, weight, bias = call.tensors(1, *_PARTS)
        if mean is None or var is None:
            raise call.refuse()
        return cls(mean, var, weight, bias, eps)

    def shape(self, *inputs: Shape) -> Shape:
        (got,) = inputs
        channels = len(self.mean.value)
        if got[0] != channels:
            raise BadInput(f"normalises {channels} channels but is fed {got}")
        return got

    def _values(self) -> list[Tensor | None]:
        return present(self.mean, self.var, self.weight, self.bias)

    def __call__(self, *inputs: Tensor) -> Tensor:
        mean, var, weight, bias = self._values()
        return F.batch_norm(inputs[0], mean, var, weight, bias, eps=self.eps)

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * math.prod(inputs[0])

    def rule(self, *inputs: Shape) -> Rule:
        (got,) = inputs
        mean, var, weight, bias = self._values()
        assert mean is not None and var is not None
        scale = torch.rsqrt(var + self.eps)
        scale = scale if weight is None else scale * weight
        offset = -mean * scale
        offset = offset if bias is None else offset + bias
        return Affine((Diagonal(by_channel(scale, got)),), by_channel(offset, got))
