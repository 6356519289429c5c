"""C = {A y + b > 0}, all rows at once."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_vector
from workbench.specs.base import Halfspaces, Polyhedral
from workbench.specs.boolean import Or
from workbench.specs.halfspace import Halfspace


@dataclass(frozen=True, eq=False)
class Polytope(Polyhedral):
    """The outputs lie in an intersection of half-spaces.

    Args:
        a: normals, `(r, k)`.
        b: offsets, `(r,)`.
    """

    a: Tensor
    b: Tensor
    name: ClassVar[str] = "polytope"

    def __post_init__(self) -> None:
        if not isinstance(self.a, Tensor) or self.a.ndim != 2 or self.a.numel() == 0:
            got = tuple(self.a.shape) if isinstance(self.a, Tensor) else type(self.a).__name__
            raise BadInput(f"the normals of a polytope need shape (r, k), got {got}")
        check_vector("the normals of a polytope", self.a.flatten())
        check_vector("the offsets of a polytope", self.b, len(self.a))

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return (y @ self.a.T + self.b).amin(-1)

    def check(self, outputs: int) -> None:
        if self.a.shape[1] != outputs:
            raise BadInput(
                f"the polytope is over {self.a.shape[1]} outputs, the model has {outputs}"
            )

    def shift(self, tau: float) -> "Polytope":
        return Polytope(self.a, self.b - tau)

    def __invert__(self) -> Or:
        return Or(tuple(Halfspace(-a, -b) for a, b in zip(self.a, self.b, strict=True)))

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        return Halfspaces(self.a.to(like), self.b.to(like), (tuple(range(len(self.b))),))
