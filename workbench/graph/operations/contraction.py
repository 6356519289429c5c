"""Products of two values summed over axes: matmul and einsum of values that depend on the input."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.base import Composite, Several, Shape, Step
from workbench.graph.call import Call, Feed
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.pairs import measured
from workbench.graph.operations.steps import Steps
from workbench.graph.operations.woven import Term, Woven
from workbench.math.activations import Square


@dataclass(frozen=True)
class Axes:
    """The axes of u, of v and of their contracted product by letters, without the batch axis."""

    one: str
    two: str
    out: str

    def sizes(self, one: Shape, two: Shape) -> dict[str, int]:
        """The length of every axis.

        Raises:
            BadInput: where the shapes do not fit.
        """
        found: dict[str, int] = {}
        fits = len(one) == len(self.one) and len(two) == len(self.two)
        for letter, n in zip(self.one + self.two, (*one, *two), strict=fits):
            fits = fits and found.setdefault(letter, n) == n
        if not fits:
            raise BadInput(f"multiplies and sums values of shapes {[one, two]}")
        return found

    @property
    def whole(self) -> str:
        """All letters, those that are summed over last."""
        return self.out + "".join(k for k in self.one if k not in self.out)

    def spread(self, x: Tensor, letters: str, sizes: dict[str, int]) -> Tensor:
        """A batch repeated along the axes that it lacks, `(batch, *whole)`."""
        here = [k for k in self.whole if k in letters]
        x = x.permute(0, *(1 + letters.index(k) for k in here))
        x = x[(slice(None), *(slice(None) if k in letters else None for k in self.whole))]
        return x.expand(-1, *(sizes[k] for k in self.whole))


@dataclass(frozen=True)
class Sides(Woven):
    """y = u + v for all pairs, then u, then v, in a row."""

    axes: Axes
    about: ClassVar[str] = "sums of all pairs"

    def shape(self, *inputs: Shape) -> Shape:
        sizes = self.axes.sizes(*inputs)
        return (math.prod(sizes.values()) + sum(math.prod(s) for s in inputs),)

    def terms(self, *shapes: Shape) -> list[Term]:
        axes, sizes = self.axes, self.axes.sizes(*shapes)
        n, m = (math.prod(s) for s in shapes)

        def first(u: Tensor) -> Tensor:
            pairs = axes.spread(u, axes.one, sizes).flatten(1)
            return torch.cat([pairs, u.flatten(1), u.new_zeros(len(u), m)], 1)

        def second(v: Tensor) -> Tensor:
            pairs = axes.spread(v, axes.two, sizes).flatten(1)
            return torch.cat([pairs, v.new_zeros(len(v), n), v.flatten(1)], 1)

        return [Term(0, 1.0, first), Term(1, 1.0, second)]


@dataclass(frozen=True)
class Polarised(Woven):
    """y = factor / 2 times the sum of (u + v)^2 - u^2 - v^2 over the axes that go."""

    axes: Axes
    one: Shape
    two: Shape
    factor: float = 1.0
    about: ClassVar[str] = "half the sums of differences of squares"

    def shape(self, *inputs: Shape) -> Shape:
        sizes = self.axes.sizes(self.one, self.two)
        return tuple(sizes[k] for k in self.axes.out)

    def terms(self, *shapes: Shape) -> list[Term]:
        axes, sizes = self.axes, self.axes.sizes(self.one, self.two)
        pairs, n = math.prod(sizes.values()), math.prod(self.one)
        summed = range(1 + len(axes.out), 1 + len(axes.whole))

        def total(x: Tensor) -> Tensor:
            return x.sum(tuple(summed)) if len(summed) else x

        def both(x: Tensor) -> Tensor:
            return total(x[:, :pairs].unflatten(1, [sizes[k] for k in axes.whole]))

        def first(x: Tensor) -> Tensor:
            u = x[:, pairs : pairs + n].unflatten(1, self.one)
            return total(axes.spread(u, axes.one, sizes))

        def second(x: Tensor) -> Tensor:
            v = x[:, pairs + n :].unflatten(1, self.two)
            return total(axes.spread(v, axes.two, sizes))

        half = 0.5 * self.factor
        return [Term(0, half, both), Term(0, -half, first), Term(0, -half, second)]


def contracted(
    steps: Steps, u: int, v: int, axes: Axes, one: Shape, two: Shape, factor: float = 1.0
) -> int:
    """`factor` times the sums of products of values u and v; the number of the value."""
    axes.sizes(one, two)
    squares = steps.put(Elementwise(Square()), steps.put(Sides(axes), u, v))
    return steps.put(Polarised(axes, one, two, factor), squares)


class _Contraction(Composite):
    """Sums of products u v, by squares: u v = ((u + v)^2 - u^2 - v^2) / 2.

    Mean and covariance are exact where all u and v are jointly Gaussian, as those of squares are;
    third cumulants lack those of three different squares. Bounds hold, and are loose. Of every
    product a square is carried: of two matrices m x k and k x n there are m k n.
    """

    @abstractmethod
    def axes(self, *shapes: Shape) -> Axes:
        """Letters for the axes of values of these shapes. Raises `BadInput`."""

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        one, two = measured("products of matrices", *shapes)
        steps = Steps(2)
        contracted(steps, 0, 1, self.axes(one, two), one, two)
        return tuple(steps.found)


_LETTERS = "abcdefghijkl"


@dataclass(frozen=True)
class MatrixProduct(_Contraction):
    """y = u @ v over the last two axes of two values of as many axes."""

    about: ClassVar[str] = "matmul"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if call.name not in ("matmul", "bmm") or len(call.feeds) != 2:
            return None
        if call.kwargs or len(call.args) != 2:
            raise call.refuse()
        return cls()

    def axes(self, *shapes: Shape) -> Axes:
        one, two = shapes
        if len(one) != len(two) or len(one) < 2:
            raise BadInput(f"multiplies matrices in values of shapes {[one, two]}")
        lead = _LETTERS[: len(one) - 2]
        return Axes(lead + "mx", lead + "xn", lead + "mn")


@dataclass(frozen=True)
class Einsum(_Contraction):
    """y = einsum of two values; the first letter of each is the batch axis."""

    equation: str
    about: ClassVar[str] = "einsum"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if call.name != "einsum":
            return None
        equation, *given = call.args
        if len(given) == 1 and isinstance(given[0], list | tuple):
            given = list(given[0])
        if len(given) != 2 or not all(type(a) is Feed for a in given):
            raise call.refuse("einsum other than of two values that depend on the input")
        try:
            return cls(checked(equation))
        except BadInput as error:
            raise call.refuse(f"einsum ({error})") from None

    def axes(self, *shapes: Shape) -> Axes:
        one, two, out = self.equation.replace("->", ",").split(",")
        return Axes(one[1:], two[1:], out[1:])


def checked(equation: Any) -> str:
    """An equation of einsum that is read, without blanks.

    Raises:
        BadInput: where it is no such equation.
    """
    plain = equation.replace(" ", "") if isinstance(equation, str) else ""
    parts = plain.replace("->", ",").split(",")
    fine = plain.count("->") == 1 and len(parts) == 3
    if fine and all(p.isalpha() and p.isascii() and len(set(p)) == len(p) for p in parts):
        one, two, out = parts
        kept = set(one + two) >= set(out) and set(one) ^ set(two) <= set(out)
        if kept and one[0] == two[0] == out[0]:
            return plain
    raise BadInput(
        "two values that begin with the batch axis, as 'bqd,bkd->bqk': each letter in both or in "
        f"the result, got {equation!r}"
    )
