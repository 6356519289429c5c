"""Products of two values, as gates make them: u v = ((u + v)^2 - (u - v)^2) / 4."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.graph.base import Composite, Op, Several, Shape, Step
from workbench.graph.call import Call
from workbench.graph.operations.broadcast import common, spread
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.pick import piece
from workbench.graph.rules import Affine, Applied, Rule
from workbench.math.activations import Sigmoid, Square


@dataclass(frozen=True)
class SumAndDifference(Op):
    """y = (u + v, u - v), one after the other along a new first axis."""

    about: ClassVar[str] = "sums and differences"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None  # stands in no code: `Product` is made of it

    def shape(self, *inputs: Shape) -> Shape:
        return (2, *common("multiplies", *inputs))

    def __call__(self, *inputs: Tensor) -> Tensor:
        u, v = inputs
        return torch.stack([u + v, u - v], 1)

    def flops(self, *inputs: Shape) -> float:
        return 2.0 * math.prod(common("multiplies", *inputs))

    def rule(self, *inputs: Shape) -> Rule:
        _, *out = self.shape(*inputs)
        maps = []
        for sign, got in zip((1.0, -1.0), inputs, strict=True):
            repeated = spread(got, tuple(out))

            def both(rows: Tensor, p: int = 1, sign: float = sign, a: object = repeated) -> Tensor:
                once = a(rows.flatten(1)[:, None])[:, 0]  # type: ignore[operator]
                return torch.cat([once, once * sign**p], -1)

            maps.append(Applied(both, both, got, 0.0))
        return Affine(tuple(maps))


@dataclass(frozen=True)
class QuarterDifference(Op):
    """y = (x_0 - x_1) / 4, x_0 and x_1 the entries of the first axis."""

    about: ClassVar[str] = "a quarter of a difference"

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0][1:]

    def __call__(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        return 0.25 * (x[:, 0] - x[:, 1])

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        def entries(x: Tensor, p: int) -> Tensor:
            return 0.25**p * (x[:, 0] + (-1.0) ** p * x[:, 1])

        return Affine((Applied(self, entries, inputs[0], self.flops(*inputs)),))


@dataclass(frozen=True)
class Product(Composite):
    """y = u v of two values; one is repeated along its axes of length 1.

    Its steps take squares of u + v and u - v together, so that every propagator has of it what it
    has of squares: mean and covariance are exact where u and v are jointly Gaussian (Isserlis
    1918), bounds hold, and are loose where u and v are of different size.
    """

    about: ClassVar[str] = "products"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        match call.module:
            case nn.GLU() as m:
                return _gated(call, m.dim)
        if call.name == "glu" and len(call.feeds) == 1:
            return _gated(call, call.argument(1, "dim", -1))
        if call.name != "mul" or len(call.feeds) != 2:
            return None
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        one, two = call.feeds
        return Several(((Elementwise(Square()), (0,)),)) if one == two else cls()

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        squares = Elementwise(Square())
        return (SumAndDifference(), (0, 1)), (squares, (2,)), (QuarterDifference(), (3,))


def _gated(call: Call, axis: object) -> Several:
    """The first half along an axis times the sigmoid of the second."""
    if not isinstance(axis, int) or axis == 0:
        raise call.refuse(f"{call.what} along the batch axis")
    first, second = (piece("chunk", 2, i, axis) for i in (0, 1))
    return Several(
        ((first, (0,)), (second, (0,)), (Elementwise(Sigmoid()), (2,)), (Product(), (1, 3)))
    )
