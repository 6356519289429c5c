"""One traced step, as an operation reads it."""

import operator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from workbench.errors import Unsupported


@dataclass(frozen=True)
class Ref:
    """A tensor by its owner and its name there, so that the value is always the present one."""

    owner: nn.Module
    name: str

    @property
    def value(self) -> Tensor:
        return getattr(self.owner, self.name)


@dataclass(frozen=True)
class Feed:
    """A known value: node `index` of the graph."""

    index: int


@dataclass(frozen=True)
class BatchSize:
    """Stands for the length of the batch axis, where code asks for it."""


@dataclass(frozen=True)
class Call:
    """A call of a module, a function or a method.

    Attributes:
        name: of the function or method; empty for a module.
        module: the module that is called; None for a function.
        args, kwargs: the arguments; known values are `Feed`s, tensors of the model are `Ref`s.
        place: where it stands.
        needs: what the reader's caller may use instead.
    """

    name: str
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    place: str
    needs: str

    @property
    def feeds(self) -> tuple[int, ...]:
        """The known values among the arguments, by number."""
        return tuple(a.index for a in self.args if isinstance(a, Feed))

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def tensors(self, first: int, *names: str) -> list[Ref | None]:
        """The model's tensors of these names: of the module, or arguments from place `first` on.

        Raises:
            Unsupported: where an argument is anything else.
        """
        if self.module is not None:
            m = self.module
            return [None if getattr(m, k) is None else Ref(m, k) for k in names]
        found = [self.argument(first + i, k) for i, k in enumerate(names)]
        if not all(r is None or isinstance(r, Ref) for r in found):
            raise self.refuse()
        return found

    @property
    def what(self) -> str:
        """What is called."""
        return self.name or type(self.module).__name__

    def refuse(self, what: str = "") -> Unsupported:
        """The error for an operation that is not known."""
        what = what or self.what
        return Unsupported(f"operation {what} at {self.place!r}", self.needs)


def function_name(target: Any) -> str:
    """`add` for `operator.add`, `operator.iadd`, `torch.add` and the methods; else its own name."""
    if target in (operator.add, operator.iadd):
        return "add"
    return target if isinstance(target, str) else target.__name__
