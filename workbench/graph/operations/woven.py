"""Sums of values that are moved, repeated or added up: the affine steps of composite operations."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from workbench.graph.base import Op, Shape
from workbench.graph.call import Call
from workbench.graph.rules import Affine, Applied, Rule


@dataclass(frozen=True)
class Term:
    """c S x: x the input of this number, S a linear map of batches with the entries 0 and 1."""

    input: int
    factor: float
    map: Callable[[Tensor], Tensor]


class Woven(Op):
    """y = the sum of some terms, of which no two have an entry of one matrix in common.

    Stands in no code: other operations are made of it.
    """

    @classmethod
    def read(cls, call: Call) -> Op | None:
        return None

    @abstractmethod
    def terms(self, *shapes: Shape) -> list[Term]:
        """What is added, for inputs of these shapes."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        total = None
        for term in self.terms(*(tuple(x.shape[1:]) for x in inputs)):
            part = term.map(inputs[term.input])
            part = part if term.factor == 1.0 else term.factor * part
            total = part if total is None else total + part
        assert total is not None
        return total

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(self.shape(*inputs)) * len(self.terms(*inputs)))

    def rule(self, *inputs: Shape) -> Rule:
        terms, maps = self.terms(*inputs), []
        for i, got in enumerate(inputs):
            mine = [t for t in terms if t.input == i]

            def entries(x: Tensor, p: int, mine: list[Term] = mine) -> Tensor:
                first, *rest = (t.factor**p * t.map(x) for t in mine)
                for part in rest:
                    first = first + part
                return first

            def once(x: Tensor, entries: Callable[[Tensor, int], Tensor] = entries) -> Tensor:
                return entries(x, 1)

            maps.append(Applied(once, entries, got, float(math.prod(got) * len(mine))))
        return Affine(tuple(maps))
