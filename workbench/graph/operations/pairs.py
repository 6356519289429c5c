"""Steps of a tree over one axis, which pairs neighbours up and tells them what the others are."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported
from workbench.graph.base import Shape
from workbench.graph.operations.woven import Term, Woven


def place(what: str, axis: int, got: Shape) -> int:
    """An axis that is counted with the batch axis, or backward from -1, without it from 0 on.

    Raises:
        BadInput: where there is no such axis.
    """
    found = axis - 1 if axis > 0 else len(got) + axis
    if axis == 0 or not 0 <= found < len(got):
        raise BadInput(f"takes the {what} along axis {axis} of {len(got) + 1}")
    return found


def measured(what: str, *shapes: Shape | None) -> tuple[Shape, ...]:
    """The shapes, all of them known.

    Raises:
        Unsupported: where one is not.
    """
    known = tuple(s for s in shapes if s is not None)
    if len(known) < len(shapes):
        raise Unsupported(
            f"{what} of values whose shape is not known", "give `read` the length of the input"
        )
    return known


@dataclass(frozen=True)
class _Along(Woven):
    """Args: axis, without the batch axis, from 0."""

    axis: int

    def part(self, x: Tensor, start: int, stop: int, step: int = 1) -> Tensor:
        """A run of entries of the axis of a batch."""
        index = (slice(None),) * (1 + self.axis)
        return x[(*index, slice(start, stop, step))]

    def long(self, got: Shape, n: int) -> Shape:
        """The shape with another length along the axis."""
        return (*got[: self.axis], n, *got[self.axis + 1 :])

    def padded(self, x: Tensor, before: int, after: int) -> Tensor:
        """With zeros along the axis."""
        shape = list(x.shape)
        none = [x.new_zeros(*shape[: 1 + self.axis], n, *shape[2 + self.axis :])
                for n in (before, after)]  # fmt: skip
        return torch.cat([none[0], x, none[1]], 1 + self.axis)


@dataclass(frozen=True)
class Ahead(_Along):
    """y = by how much the first of every pair is above the second, or below where `sign` is -1."""

    sign: float = 1.0
    about: ClassVar[str] = "differences of pairs"

    def shape(self, *inputs: Shape) -> Shape:
        return self.long(inputs[0], inputs[0][self.axis] // 2)

    def terms(self, *shapes: Shape) -> list[Term]:
        n = shapes[0][self.axis] // 2 * 2
        return [
            Term(0, self.sign, lambda x: self.part(x, 0, n, 2)),
            Term(0, -self.sign, lambda x: self.part(x, 1, n, 2)),
        ]


@dataclass(frozen=True)
class Merged(_Along):
    """y = the second of every pair plus (times `sign`) what the pair has over it; what has no
    partner stays as it is."""

    sign: float = 1.0
    about: ClassVar[str] = "sums over pairs"

    def shape(self, *inputs: Shape) -> Shape:
        return self.long(inputs[0], (inputs[0][self.axis] + 1) // 2)

    def terms(self, *shapes: Shape) -> list[Term]:
        n = shapes[0][self.axis]
        k = n // 2

        def seconds(x: Tensor) -> Tensor:
            return torch.cat([self.part(x, 1, 2 * k, 2), self.part(x, 2 * k, n)], 1 + self.axis)

        return [
            Term(0, 1.0, seconds),
            Term(1, self.sign, lambda over: self.padded(over, 0, n - 2 * k)),
        ]


class _Told(_Along):
    """Steps from what the others of a pair are (input 0) and the members of pairs (input 1)."""

    def partners(self, c: Tensor, k: int) -> Tensor:
        """Of every member of k pairs the other one."""
        first, second = self.part(c, 0, 2 * k, 2), self.part(c, 1, 2 * k, 2)
        return torch.stack([second, first], 2 + self.axis).flatten(1 + self.axis, 2 + self.axis)

    def repeated(self, o: Tensor, k: int) -> Tensor:
        """For every member of k pairs what its pair is told."""
        return self.part(o, 0, k).repeat_interleave(2, 1 + self.axis)


@dataclass(frozen=True)
class Above(_Told):
    """y = by how much what a pair is told is above the partner of each of its members."""

    about: ClassVar[str] = "differences from partners"

    def shape(self, *inputs: Shape) -> Shape:
        return self.long(inputs[1], inputs[1][self.axis] // 2 * 2)

    def terms(self, *shapes: Shape) -> list[Term]:
        k = shapes[1][self.axis] // 2
        return [
            Term(0, 1.0, lambda o: self.repeated(o, k)),
            Term(1, -1.0, lambda c: self.partners(c, k)),
        ]


@dataclass(frozen=True)
class Others(_Told):
    """y = the partner of every member plus what is over it; who has none is told what its pair is.

    Inputs: what pairs are told, their members, what is over the partners.
    """

    about: ClassVar[str] = "sums over partners"

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[1]

    def terms(self, *shapes: Shape) -> list[Term]:
        n = shapes[1][self.axis]
        k = n // 2
        alone = n - 2 * k
        found = [
            Term(1, 1.0, lambda c: self.padded(self.partners(c, k), 0, alone)),
            Term(2, 1.0, lambda over: self.padded(over, 0, alone)),
        ]
        last = Term(0, float(alone), lambda o: self.padded(self.part(o, k, k + alone), 2 * k, 0)
                    if alone else self.padded(self.part(o, 0, 0), n, 0))  # fmt: skip
        return [last, *found]
