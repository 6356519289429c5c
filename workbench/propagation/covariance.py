"""K = 2: the mean and the full covariance of every layer, by Hermite series."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.errors import BadInput
from workbench.graph.rules import Affine, Pointwise
from workbench.math import cost
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.blocks import Block, outer
from workbench.propagation.scale import safe_std
from workbench.propagation.second_moments import SecondMoments
from workbench.propagation.series import check_order, enough


class _Covariances(SecondMoments):
    """Second moments, through activations by Hermite series."""

    def __init__(self, piece: Piece, order: int, tolerance: float):
        super().__init__(piece)
        self.order = order
        self.tolerance = tolerance

    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        self._carry(i, inputs, what, live)

    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        mean, block = self.means[source], self._block(source, source)
        var = block.variances
        sd = safe_std(var)
        mean, sd = torch.broadcast_tensors(mean, sd)
        self.means[i], own = what.row.moments(mean, sd)
        own = torch.where(var > 0, own, 0.0)  # what is constant stays so, exactly
        b = what.row.coefficients(mean, sd, self.order)
        # Stein: Cov(f(X), W) = E[f'(X)] Cov(X, W) for W jointly Gaussian with X.
        slope = b[0] / sd
        for k in sorted(live - {i}):
            cross = self._block(source, k)
            factor = slope if cross.diagonal else slope[..., None]
            self.blocks[i, k] = Block(factor * cross.values, cross.diagonal)
        if block.diagonal:
            self.blocks[i, i] = Block(own, True)
            self.flops += 20.0 * mean.numel()
        else:
            self.blocks[i, i] = Block(self._series(block.values, sd, b, own))

    def _series(self, block: Tensor, sd: Tensor, b: Tensor, own: Tensor) -> Tensor:
        """sum_k b_k b_k^T R^k off the diagonal, by Horner's rule; the exact variance on it."""
        # A variance that rounding left below 0 has a tiny scale, and then no correlation.
        corr = torch.clamp(block / sd[..., None, :] / sd[..., :, None], -1.0, 1.0)
        terms, left = enough(corr, b, own, self.tolerance)
        b = b[:terms]
        self.left_out(left)
        self.flops += cost.hermite_series(sd.shape[-1], len(b)) * (
            corr.numel() // sd.shape[-1] ** 2
        )
        total = outer(b[-1])
        for row in b.flip(0)[1:]:
            total = torch.addcmul(outer(row), total, corr)
        total = total * corr
        gap = torch.diagonal(total, dim1=-2, dim2=-1) - own
        return total - torch.diag_embed(gap)

    def forget(self, live: set[int]) -> None:
        self._drop(live)

    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        return self.means[i], self.blocks[i, i].variances

    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        return self.means[i], self.blocks[i, i].dense


@dataclass(frozen=True)
class Covariance(Propagator):
    """Means and covariances, every pre-activation presumed jointly Gaussian.

    Off the diagonal Cov(f(X_i), f(X_j)) = sum_{k=1}^{order} b_k(i) b_k(j) rho^k (Mehler's series);
    the variances are exact. Residual sums keep the covariance between their branches.
    Cost n^3 a layer. (Hermite expansion: arXiv 2605.05179 calls this K = 2.)

    Args:
        order: at most so many terms of the series. The dropped part of an entry is at most
            |rho|^(order + 1) of the product of the standard deviations.
        tolerance: a layer takes no more terms than it needs for its every dropped part to be
            proven below this share of the product of the standard deviations.
    """

    order: int = 8
    tolerance: float = 1e-6
    name: ClassVar[str] = "covariance"

    def __post_init__(self) -> None:
        check_order(self.order, 1)
        if not 0.0 <= self.tolerance < 1.0:
            raise BadInput(f"the tolerance must be 0 or more, below 1, got {self.tolerance!r}")

    def start(self, piece: Piece) -> Carrier:
        return _Covariances(piece, self.order, self.tolerance)
