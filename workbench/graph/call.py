"""One traced step, as an operation reads it."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import Unsupported


class Constant(ABC):
    """A number or tensor that does not depend on the input, looked up whenever it is asked for."""

    @property
    @abstractmethod
    def value(self) -> Tensor:
        """The present one."""

    @property
    def trained(self) -> bool:
        """Whether it is a parameter of the model, or made of one."""
        return False


@dataclass(frozen=True)
class Ref(Constant):
    """A tensor by its owner and its name there, so that the value is always the present one."""

    owner: nn.Module
    name: str

    @property
    def value(self) -> Tensor:
        return getattr(self.owner, self.name)

    @property
    def trained(self) -> bool:
        owner = self.owner
        return self.name in owner._parameters or self.name in getattr(owner, "parametrizations", ())


@dataclass(frozen=True)
class Number(Constant):
    """A number that stands in the code."""

    number: float

    @property
    def value(self) -> Tensor:
        """0-d, so that it takes the precision of what it meets."""
        return torch.tensor(self.number, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Computed(Constant):
    """What code makes of constants: `self.w.T`, `torch.exp(self.log_scale)`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def value(self) -> Tensor:
        return self.function(*_valued(self.args), **_valued(self.kwargs))

    @property
    def trained(self) -> bool:
        own = isinstance(self.function, nn.Module) and bool(list(self.function.parameters()))
        return own or any(c.trained for c in leaves((self.args, self.kwargs), Constant))


@dataclass(frozen=True)
class Feed:
    """A known value: node `index` of the graph."""

    index: int


@dataclass(frozen=True)
class Pieces(Feed):
    """A known value cut into pieces along an axis (counted with the batch axis)."""

    kind: str
    size: Any
    axis: int


@dataclass(frozen=True)
class BatchSize:
    """Stands for the length of the batch axis, where code asks for it."""


@dataclass(frozen=True)
class Zeros:
    """Stands for zeros, as many as there are inputs: what recurrent layers begin with."""


@dataclass(frozen=True)
class Place:
    """Stands for the device or the precision of a value."""


@dataclass(frozen=True)
class Finals:
    """Stands for the last states of a recurrent layer, `(layers x ways, batch, hidden)`.

    Args:
        sequence: the value with the states of the last layer at all steps.
    """

    sequence: Feed
    hidden: int
    layers: int
    both: bool

    def index(self, which: int) -> tuple[Any, ...] | None:
        """Where a state stands in the sequence; None where it does not."""
        ways = 2 if self.both else 1
        count = self.layers * ways
        if not -count <= which < count or which % count < count - ways:
            return None
        if which % count == count - ways:
            return (-1, slice(0, self.hidden))
        return (0, slice(self.hidden, 2 * self.hidden))


@dataclass(frozen=True)
class Missing:
    """Stands for what a call gives beside its value, and that is not read."""

    what: str


@dataclass(frozen=True)
class Call:
    """A call of a module, a function or a method.

    Attributes:
        name: of the function or method, by one name for all spellings; empty for a module.
        module: the module that is called; None for a function.
        args, kwargs: the arguments; known values are `Feed`s, tensors of the model `Constant`s.
        place: where it stands.
        needs: what the reader's caller may use instead.
        target: the module, the function, or the method's name.
        time_first: whether code has the steps of a sequence before the batch.
    """

    name: str
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    place: str
    needs: str
    target: Any = None
    time_first: bool = False

    @property
    def feeds(self) -> tuple[int, ...]:
        """The known values among the arguments, by number, also those in a list."""
        return tuple(a.index for a in leaves(self.args, Feed))

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def tensors(self, first: int, *names: str) -> list[Constant | None]:
        """The model's tensors of these names: of the module, or arguments from place `first` on.

        Raises:
            Unsupported: where an argument is anything else.
        """
        if self.module is not None:
            m = self.module
            return [None if getattr(m, k) is None else Ref(m, k) for k in names]
        found = [self.argument(first + i, k) for i, k in enumerate(names)]
        if not all(r is None or isinstance(r, Constant) for r in found):
            raise self.refuse()
        return found

    @property
    def computed(self) -> Computed | None:
        """What it makes where it takes constants alone; None where it takes a known value."""
        given = (self.args, self.kwargs)
        other = [*leaves(given, Feed), *leaves(given, BatchSize)]
        if other or not list(leaves(given, Constant)):
            return None
        target = self.target
        if isinstance(target, str):
            return Computed(lambda x, *rest, **k: getattr(x, target)(*rest, **k),
                            self.args, self.kwargs)  # fmt: skip
        return Computed(target, self.args, self.kwargs)

    @property
    def what(self) -> str:
        """What is called."""
        return self.name or type(self.module).__name__

    @property
    def misplaced(self) -> str:
        """What is wrong where a layer looks for the batch on another axis."""
        if self.time_first:
            return "with batch_first=True of values whose batch axis is the second"
        return "without batch_first=True of values whose batch axis is the first"

    def refuse(self, what: str = "") -> Unsupported:
        """The error for an operation that is not known."""
        what = what or self.what
        return Unsupported(f"operation {what} at {self.place!r}", self.needs)


def constant(given: Any) -> Constant | None:
    """A tensor of the model, or a finite number; None for anything else."""
    if isinstance(given, Constant):
        return given
    plain = isinstance(given, int | float) and not isinstance(given, bool)
    return Number(float(given)) if plain and math.isfinite(given) else None


def part_of(whole: Constant, rows: slice) -> Constant:
    """Some rows of a tensor."""
    return Computed(operator.getitem, (whole, (rows,)), {})


def present(*constants: Constant | None) -> list[Tensor | None]:
    """Their present values."""
    return [None if c is None else c.value for c in constants]


_ONE_NAME = {
    "iadd": "add", "isub": "sub", "subtract": "sub", "imul": "mul", "multiply": "mul",
    "truediv": "div", "itruediv": "div", "divide": "div", "true_divide": "div", "negative": "neg",
    "concat": "cat", "concatenate": "cat", "absolute": "abs", "clip": "clamp",
    "log_sigmoid": "logsigmoid",
}  # fmt: skip


def function_name(target: Any) -> str:
    """One name for a function, its method and its form in place: `add` for `operator.iadd`."""
    name = (target if isinstance(target, str) else target.__name__).rstrip("_")
    return _ONE_NAME.get(name, name)


def leaves(given: Any, kind: type) -> Iterator[Any]:
    """Everything of a kind in nested arguments."""
    match given:
        case tuple() | list():
            for part in given:
                yield from leaves(part, kind)
        case dict():
            yield from leaves(list(given.values()), kind)
        case slice():
            yield from leaves((given.start, given.stop, given.step), kind)
        case _ if isinstance(given, kind):
            yield given


def _valued(given: Any) -> Any:
    """The same arguments with the present values of constants."""
    match given:
        case Constant():
            return given.value
        case tuple() | list():
            return type(given)(_valued(part) for part in given)
        case dict():
            return {k: _valued(part) for k, part in given.items()}
        case slice():
            return slice(*_valued((given.start, given.stop, given.step)))
        case _:
            return given
