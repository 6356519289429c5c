"""Means and covariances of all values that are still needed, through affine maps."""

from workbench.distributions import Piece
from workbench.graph.rules import Affine
from workbench.propagation.base import Carrier
from workbench.propagation.blocks import Block, sum_of, total


class SecondMoments(Carrier):
    """Means, and covariance blocks (i, j) with j <= i among the values that are still needed."""

    def __init__(self, piece: Piece):
        self.means = {0: piece.mean}
        self.blocks = {(0, 0): Block(piece.cov, bool(piece.uncorrelated))}

    def _block(self, i: int, j: int) -> Block:
        return self.blocks[i, j] if j <= i else self.blocks[j, i].T

    def _carry(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        """Mean of value i, an affine map of others, and its covariances with those in need."""
        pairs = list(zip(what.maps, inputs, strict=True))
        mean = total(a.vector(self.means[j]) for a, j in pairs)
        self.means[i] = mean if what.offset is None else mean + what.offset
        for k in sorted(live | set(inputs)):
            self.blocks[i, k] = sum_of(self._block(j, k).times(a) for a, j in pairs)
            self.flops += sum(self._block(j, k).flops(a) for a, j in pairs)
        # Cov(y, y) = sum_j Cov(y, x_j) A_j^T.
        self.blocks[i, i] = sum_of(self.blocks[i, j].T.times(a) for a, j in pairs).T
        self.flops += sum(self.blocks[i, j].T.flops(a) for a, j in pairs)

    def _drop(self, live: set[int]) -> None:
        """What is not of `live` values."""
        self.means = {j: m for j, m in self.means.items() if j in live}
        self.blocks = {k: c for k, c in self.blocks.items() if k[0] in live and k[1] in live}
