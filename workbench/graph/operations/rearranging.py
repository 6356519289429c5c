"""The same numbers elsewhere: what operations that only move values have in common."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from workbench.graph.base import Op, Shape
from workbench.graph.rules import Affine, Rule, selecting


class Rearranging(Op):
    """Every value of y is one of x."""

    @abstractmethod
    def moved(self, x: Tensor) -> Tensor:
        """y of x `(batch, *shape)`."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.moved(inputs[0])

    def flops(self, *inputs: Shape) -> float:
        return 0.0

    def rule(self, *inputs: Shape) -> Rule:
        return Affine((selecting(self.moved, inputs[0]),))


def is_int(given: Any) -> bool:
    """Whether it is a whole number, and no truth value."""
    return isinstance(given, int) and not isinstance(given, bool)
