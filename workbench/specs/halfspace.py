"""C = {a . y + b > 0}."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workbench.errors import BadInput
from workbench.math.checks import check_number, check_vector
from workbench.specs.base import Halfspaces, Polyhedral


@dataclass(frozen=True, eq=False)
class Halfspace(Polyhedral):
    """The outputs cross a plane.

    Args:
        a: normal, `(k,)`.
        b: offset, a number or a 0-d tensor.
    """

    a: Tensor
    b: Tensor | float = 0.0
    name: ClassVar[str] = "halfspace"

    def __post_init__(self) -> None:
        check_vector("the normal of a halfspace", self.a)
        if isinstance(self.b, Tensor) and self.b.ndim != 0:
            raise BadInput(f"the offset of a halfspace must be a number, got {tuple(self.b.shape)}")
        check_number("the offset of a halfspace", self.b)
        offset = self.b if isinstance(self.b, Tensor) else self.a.new_tensor(self.b)
        object.__setattr__(self, "b", offset)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return y @ self.a + self.b

    def check(self, outputs: int) -> None:
        if self.a.numel() != outputs:
            raise BadInput(
                f"the halfspace is over {self.a.numel()} outputs, the model has {outputs}"
            )

    def shift(self, tau: float) -> "Halfspace":
        return Halfspace(self.a, self.b - tau)

    def __invert__(self) -> "Halfspace":
        return Halfspace(-self.a, -self.b)

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        offset = self.b if isinstance(self.b, Tensor) else like.new_tensor(self.b)
        return Halfspaces(self.a[None].to(like), offset[None].to(like), ((0,),))
