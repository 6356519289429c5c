"""K = 2: the mean and the full covariance of every layer, by Hermite series."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.errors import BadInput
from workbench.math import cost
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.rules import Affine, LinearMap, Pointwise
from workbench.propagation.scale import safe_std


class _Covariances(Carrier):
    """Means, and covariance blocks (i, j) with j <= i among the values that are still needed.

    A diagonal block may be a vector, where its value's coordinates are uncorrelated.
    """

    def __init__(self, piece: Piece, order: int):
        self.order = order
        self.means = {0: piece.mean}
        self.blocks: dict[tuple[int, int], Tensor] = {(0, 0): piece.cov}

    def _block(self, i: int, j: int) -> Tensor:
        """Cov(value i, value j), `(n_i, n_j)`, or `(n,)` where it is diagonal."""
        if j <= i:
            return self.blocks[i, j]
        block = self.blocks[j, i]
        return block if block.ndim == 1 else block.T

    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        pairs = list(zip(what.maps, inputs, strict=True))
        mean = _total([a(self.means[j]) for a, j in pairs])
        self.means[i] = mean if what.offset is None else mean + what.offset
        for k in sorted(live | set(inputs)):
            self.blocks[i, k] = _total([self._times(a, j, k) for a, j in pairs])
        # Cov(y, y) = sum_j Cov(y, x_j) A_j^T.
        own = [(a, self.blocks[i, j]) for a, j in pairs]
        if len(own) == 1 and own[0][1].ndim == 1:
            self.blocks[i, i] = own[0][1]
            return
        self.blocks[i, i] = _total([a(_dense(block).T) for a, block in own])
        self.flops += sum(a.flops(len(self.means[i])) for a, _ in pairs)

    def _times(self, a: LinearMap, j: int, k: int) -> Tensor:
        block = self._block(j, k)
        if block.ndim == 1:
            return a.scale_columns(block)
        self.flops += a.flops(block.shape[1])
        return a(block)

    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        mean, block = self.means[source], self._block(source, source)
        var = block if block.ndim == 1 else torch.diagonal(block)
        sd = safe_std(var)
        self.means[i], own = what.row.moments(mean, sd)
        own = torch.where(var > 0, own, 0.0)  # what is constant stays so, exactly
        b = what.row.coefficients(mean, sd, self.order)
        # Stein: Cov(f(X), W) = E[f'(X)] Cov(X, W) for W jointly Gaussian with X.
        slope = b[0] / sd
        for k in sorted(live - {i}):
            cross = self._block(source, k)
            self.blocks[i, k] = (
                torch.diag(slope * cross) if cross.ndim == 1 else slope[:, None] * cross
            )
        self.blocks[i, i] = own if block.ndim == 1 else self._series(block, sd, b, own)
        n = len(mean)
        self.flops += 20.0 * n if block.ndim == 1 else cost.hermite_series(n, self.order)

    def _series(self, block: Tensor, sd: Tensor, b: Tensor, own: Tensor) -> Tensor:
        """sum_k b_k b_k^T R^k off the diagonal, by Horner's rule; the exact variance on it."""
        corr = block / sd / sd[:, None]
        total = torch.outer(b[-1], b[-1])
        for row in b.flip(0)[1:]:
            total = torch.addcmul(torch.outer(row, row), total, corr)
        total = total * corr
        return total - torch.diag(torch.diagonal(total) - own)

    def forget(self, live: set[int]) -> None:
        self.means = {j: m for j, m in self.means.items() if j in live}
        self.blocks = {k: c for k, c in self.blocks.items() if k[0] in live and k[1] in live}

    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        block = self.blocks[i, i]
        return self.means[i], block if block.ndim == 1 else torch.diagonal(block)

    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        return self.means[i], _dense(self.blocks[i, i])


def _dense(block: Tensor) -> Tensor:
    return torch.diag(block) if block.ndim == 1 else block


def _total(parts: list[Tensor]) -> Tensor:
    """The sum of blocks, of which some may be diagonal."""
    if len({p.ndim for p in parts}) > 1:
        parts = [_dense(p) for p in parts]
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return total


@dataclass(frozen=True)
class Covariance(Propagator):
    """Means and covariances, every pre-activation presumed jointly Gaussian.

    Off the diagonal Cov(f(X_i), f(X_j)) = sum_{k=1}^{order} b_k(i) b_k(j) rho^k (Mehler's series);
    the variances are exact. Residual sums keep the covariance between their branches.
    Cost n^3 a layer. (Hermite expansion: arXiv 2605.05179 calls this K = 2.)

    Args:
        order: terms of the series. The dropped part of an entry is at most |rho|^(order + 1) of
            the product of the standard deviations.
    """

    order: int = 8
    name: ClassVar[str] = "covariance"

    def __post_init__(self) -> None:
        if not isinstance(self.order, int) or not 1 <= self.order <= 40:
            raise BadInput(f"the order of the Hermite series must be 1 to 40, got {self.order!r}")

    def start(self, piece: Piece) -> Carrier:
        return _Covariances(piece, self.order)
