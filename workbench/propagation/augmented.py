"""Covariance propagation with the third and fourth cumulants that cost no more than n^3 a layer."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.distributions import Piece
from workbench.errors import BadInput
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.generations import Generations
from workbench.propagation.series import check_order


@dataclass(frozen=True)
class Augmented(Propagator):
    """Covariances, with third cumulants that are whole for one layer and of pairs from then on.

    As "cumulant", but of the factors of third cumulants only the newest `memory` generations are
    kept: what an activation began goes through the next linear layer whole, and of it the next
    activation keeps kappa(x_i, x_i, x_j) alone. Cost n^3 a layer whatever the depth. (arXiv
    2605.05179 augments K = 2 by traces of the third and fourth cumulants; these are their
    slices.) Some ten times as accurate as "covariance" for three times its time.

    Args:
        order: terms of the Hermite series of a covariance, at least 2.
        memory: generations kept whole, at least 1. As many as there are activation layers make
            it "cumulant". Around a residual sum none is forgotten.
    """

    order: int = 8
    memory: int = 1
    name: ClassVar[str] = "augmented"

    def __post_init__(self) -> None:
        check_order(self.order, 2)
        if not isinstance(self.memory, int) or self.memory < 1:
            raise BadInput(f"at least one generation must be kept, got {self.memory!r}")

    def start(self, piece: Piece) -> Carrier:
        return Generations(piece, self.order, self.memory)
