"""A spec over inputs and outputs that carry one more coordinate."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from workbench.specs.base import Halfspaces, Polyhedral, Spec


@dataclass(frozen=True, eq=False)
class Widened(Spec):
    """The event inner margin + weight z > 0, for inputs (x, z) and outputs [y; z].

    With z ~ N(0, 1) independent of x it has the probability Phi(margin / weight) given x: a soft
    event as a hard one with a coordinate more.

    Args:
        inner: a spec on x and y.
        weight: of z; 0 leaves the spec what it was.
    """

    inner: Spec
    weight: float = 0.0
    name: ClassVar[str] = "widened"

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return self.inner.margin(x[:, :-1], y[:, :-1]) + self.weight * y[:, -1]

    def check(self, outputs: int) -> None:
        self.inner.check(outputs - 1)

    def shift(self, tau: float) -> "Widened":
        return replace(self, inner=self.inner.shift(tau))

    def __invert__(self) -> "Widened":
        return replace(self, inner=~self.inner, weight=-self.weight)


@dataclass(frozen=True, eq=False)
class WidenedPolyhedral(Widened, Polyhedral):
    """The same, where the inner spec is polyhedral."""

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        assert isinstance(self.inner, Polyhedral)
        own = self.inner.halfspaces(outputs - 1, like)
        a = torch.cat([own.a, own.a.new_full((len(own.b), 1), self.weight)], dim=1)
        return Halfspaces(a, own.b, own.clauses)


def widen(spec: Spec, weight: float = 0.0) -> Widened:
    """`Widened`, polyhedral where the spec is."""
    return (WidenedPolyhedral if isinstance(spec, Polyhedral) else Widened)(spec, weight)
