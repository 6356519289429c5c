"""Sums and differences of two values: y = x1 + x2, y = x1 - x2."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.operations.broadcast import common, spread
from workbench.graph.rules import Affine, Diagonal, Identity, LinearMap, Rule


class _Combining(Op):
    """y = x1 and x2 together; the shorter one is repeated along its axes of length 1."""

    call: ClassVar[str]
    does: ClassVar[str]

    @classmethod
    def read(cls, call: Call) -> Op | None:
        if call.name != cls.call or len(call.feeds) != 2:
            return None
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        return cls()

    def shape(self, *inputs: Shape) -> Shape:
        return common(self.does, *inputs)

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(self.shape(*inputs)))

    @abstractmethod
    def second(self, a: LinearMap) -> LinearMap:
        """What is made of the second value, given how it is repeated."""

    def rule(self, *inputs: Shape) -> Rule:
        one, two = (spread(got, self.shape(*inputs)) for got in inputs)
        return Affine((one, self.second(two)))


@dataclass(frozen=True)
class Add(_Combining):
    """y = the sum of two values."""

    call: ClassVar[str] = "add"
    does: ClassVar[str] = "adds"
    about: ClassVar[str] = "residual sums"

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] + inputs[1]

    def second(self, a: LinearMap) -> LinearMap:
        return a


@dataclass(frozen=True)
class Subtract(_Combining):
    """y = one value less another."""

    call: ClassVar[str] = "sub"
    does: ClassVar[str] = "subtracts"
    about: ClassVar[str] = "differences of two values"

    def __call__(self, *inputs: Tensor) -> Tensor:
        return inputs[0] - inputs[1]

    def second(self, a: LinearMap) -> LinearMap:
        return Diagonal(-1.0) if isinstance(a, Identity) else a.times(-1.0)
