"""And and or of specs: min and max of their margins. Not is De Morgan on the parts."""

from abc import ABC
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.specs.base import Halfspaces, Polyhedral, Spec


@dataclass(frozen=True, eq=False)
class _Combination(Spec, ABC):
    """Parts joined by one connective; polyhedral where all its parts are."""

    parts: tuple[Spec, ...]

    def __new__(cls, parts: tuple[Spec, ...] = ()) -> Any:
        given = isinstance(parts, tuple | list)  # an iterator is read once, by __post_init__
        if given and all(isinstance(part, Polyhedral) for part in parts):
            cls = {And: PolyhedralAnd, Or: PolyhedralOr}.get(cls, cls)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        if isinstance(self.parts, Iterable):
            object.__setattr__(self, "parts", tuple(self.parts))
        joins = f"'{self.name}' joins specs, as `a & b`, `a | b` or a tuple of them"
        if not isinstance(self.parts, tuple):
            raise BadInput(f"{joins}; got {self.parts!r}")
        if not self.parts:
            raise BadInput(f"'{self.name}' needs at least one spec, got none")
        for part in self.parts:
            if not isinstance(part, Spec):
                raise BadInput(f"{joins}; one of them is {part!r}")

    def _margins(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([p.margin(x, y) for p in self.parts], dim=-1)

    def check(self, outputs: int) -> None:
        for part in self.parts:
            part.check(outputs)

    def _each(self, outputs: int, like: Tensor) -> list[Halfspaces]:
        """The parts in normal form."""
        flat = [part for part in self.parts if isinstance(part, Polyhedral)]
        assert len(flat) == len(self.parts)
        return [part.halfspaces(outputs, like) for part in flat]


@dataclass(frozen=True, eq=False)
class And(_Combination):
    """All parts hold: margin = min of margins."""

    name: ClassVar[str] = "and"

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return self._margins(x, y).amin(-1)

    def shift(self, tau: float) -> "And":
        return And(tuple(p.shift(tau) for p in self.parts))

    def __invert__(self) -> "Or":
        return Or(tuple(~p for p in self.parts))


@dataclass(frozen=True, eq=False)
class Or(_Combination):
    """Some part holds: margin = max of margins."""

    name: ClassVar[str] = "or"

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return self._margins(x, y).amax(-1)

    def shift(self, tau: float) -> "Or":
        return Or(tuple(p.shift(tau) for p in self.parts))

    def __invert__(self) -> And:
        return And(tuple(~p for p in self.parts))


@dataclass(frozen=True, eq=False)
class PolyhedralAnd(And, Polyhedral):
    """The same, where every part is polyhedral; `And` makes it by itself."""

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        return reduce(Halfspaces.intersection, self._each(outputs, like))


@dataclass(frozen=True, eq=False)
class PolyhedralOr(Or, Polyhedral):
    """The same, where every part is polyhedral; `Or` makes it by itself."""

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        return reduce(Halfspaces.union, self._each(outputs, like))
