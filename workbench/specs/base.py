"""The trusted specification C: a real margin, C holds (a catastrophe) exactly where margin > 0."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported

MAX_CLAUSES = 256


class Spec(ABC):
    """C as a margin. `&`, `|` and `~` combine specs by min, max and minus of margins.

    The complement is taken up to margin = 0, where neither C nor ~C holds. A subclass needs a
    `margin` alone: its name is then that of the class, its complement and stricter events are told
    from the margin (`Altered`). What estimators ask of some specs beyond is `Polyhedral`.

    >>> import torch
    >>> class Far(Spec):
    ...     def margin(self, x, y):
    ...         return y.norm(dim=1) - 3.0
    >>> (~Far() & Far().shift(-1.0)).margin(torch.zeros(1, 2), torch.tensor([[0.0, 2.5]]))
    tensor([0.5000])
    """

    name: ClassVar[str]

    def __init_subclass__(cls, **extra: Any) -> None:
        super().__init_subclass__(**extra)
        if getattr(cls, "name", None) is None:
            cls.name = cls.__name__

    @abstractmethod
    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        """s `(batch,)` with C = {s > 0}, for inputs x `(batch, d)` and outputs y `(batch, k)`."""

    def check(self, outputs: int) -> None:  # noqa: B027
        """Raises `BadInput` where C does not fit a model with this many outputs."""

    def shift(self, tau: float) -> "Spec":
        """The stricter event margin > tau."""
        from workbench.specs.altered import Altered

        return Altered(self).shift(tau)

    def __invert__(self) -> "Spec":
        """Not C."""
        from workbench.specs.altered import Altered

        return ~Altered(self)

    def __bool__(self) -> bool:
        """`and`, `or` and `not` would keep one spec and drop the other without a word."""
        raise BadInput(
            "a spec is neither true nor false: join specs by & and |, and negate one by ~, instead "
            "of `and`, `or` and `not`; ask `is None` for one that is missing"
        )

    def unbound(self) -> "Spec":
        """The spec as it was written, before a problem joined the networks in it to M."""
        return self

    def __and__(self, other: "Spec") -> "Spec":
        from workbench.specs.boolean import And

        return And(tuple(s.unbound() if isinstance(s, Spec) else s for s in (self, other)))

    def __or__(self, other: "Spec") -> "Spec":
        from workbench.specs.boolean import Or

        return Or(tuple(s.unbound() if isinstance(s, Spec) else s for s in (self, other)))


@dataclass(frozen=True, eq=False)
class Halfspaces:
    """An event as a union of clauses, each an intersection of half-spaces a_i . y + b_i > 0.

    Args:
        a: `(r, k)` normals.
        b: `(r,)` offsets.
        clauses: which half-spaces must hold together; the event is the union over clauses.
    """

    a: Tensor
    b: Tensor
    clauses: tuple[tuple[int, ...], ...]

    def union(self, other: "Halfspaces") -> "Halfspaces":
        """Either event."""
        a, b = torch.cat([self.a, other.a]), torch.cat([self.b, other.b])
        shift = len(self.b)
        moved = tuple(tuple(i + shift for i in c) for c in other.clauses)
        _check_size(len(self.clauses) + len(moved))
        return Halfspaces(a, b, self.clauses + moved)

    def intersection(self, other: "Halfspaces") -> "Halfspaces":
        """Both events."""
        a, b = torch.cat([self.a, other.a]), torch.cat([self.b, other.b])
        shift = len(self.b)
        _check_size(len(self.clauses) * len(other.clauses))
        clauses = tuple(
            c + tuple(i + shift for i in e) for c in self.clauses for e in other.clauses
        )
        return Halfspaces(a, b, clauses)

    def margin(self, y: Tensor) -> Tensor:
        """max over clauses of min over half-spaces of a . y + b; `(batch,)`."""
        s = y @ self.a.T + self.b
        return torch.stack([s[:, list(c)].amin(-1) for c in self.clauses], dim=-1).amax(-1)


def _check_size(clauses: int) -> None:
    if clauses > MAX_CLAUSES:
        raise Unsupported(
            f"a spec that expands to {clauses} clauses", f"at most {MAX_CLAUSES} are expanded"
        )


class Ranked(Spec, ABC):
    """A spec that holds y against the values of x that have certain ranks."""


class Polyhedral(Spec, ABC):
    """A spec that is a union of intersections of half-spaces in y."""

    @abstractmethod
    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        """The event in disjunctive normal form, for a model with `outputs` outputs.

        `like` gives dtype and device.
        """
