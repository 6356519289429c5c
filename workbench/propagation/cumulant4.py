"""K = 4: all joint cumulants up to the fourth."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.distributions import Piece
from workbench.errors import BadInput
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.series import check_order
from workbench.propagation.tensors import Tensors


@dataclass(frozen=True)
class Cumulant4(Propagator):
    """K = 4: means, covariances, third and fourth cumulants, each a whole tensor.

    Of an activation's expansion around Gaussian neurons all diagrams are kept whose square is of
    order 1 / n^3 or more in a random network of width n (arXiv 2605.05179; see `diagrams`). Cost
    n^5 a layer and n^4 numbers: for small widths.

    Args:
        order: terms of the Hermite series of a covariance, at least 4.
        most: the greatest width, with the values beside it around a residual sum.
    """

    order: int = 8
    most: int = 32
    name: ClassVar[str] = "cumulant4"

    def __post_init__(self) -> None:
        check_order(self.order, 4)
        if not isinstance(self.most, int) or not 1 <= self.most <= 128:
            raise BadInput(f"the greatest width must be 1 to 128, got {self.most!r}")

    def start(self, piece: Piece) -> Carrier:
        return Tensors(piece, self.order, self.most)
