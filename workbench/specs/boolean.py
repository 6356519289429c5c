"""And and or of specs: min and max of their margins. Not is De Morgan on the parts."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported
from workbench.specs.base import Halfspaces, Polyhedral, Spec


@dataclass(frozen=True, eq=False)
class _Combination(Polyhedral):
    """Parts joined by one connective; polyhedral where all its parts are."""

    parts: tuple[Spec, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if len(self.parts) < 1:
            raise BadInput(f"'{self.name}' needs at least one spec, got none")

    def _margins(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([p.margin(x, y) for p in self.parts], dim=-1)

    def check(self, outputs: int) -> None:
        for part in self.parts:
            part.check(outputs)

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        each = []
        for part in self.parts:
            if not isinstance(part, Polyhedral):
                raise Unsupported(f"a spec of type {part.name!r}", "half-spaces in y are needed")
            each.append(part.halfspaces(outputs, like))
        return reduce(self._join, each)

    @abstractmethod
    def _join(self, a: Halfspaces, b: Halfspaces) -> Halfspaces: ...


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

    def _join(self, a: Halfspaces, b: Halfspaces) -> Halfspaces:
        return a.intersection(b)


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

    def _join(self, a: Halfspaces, b: Halfspaces) -> Halfspaces:
        return a.union(b)
