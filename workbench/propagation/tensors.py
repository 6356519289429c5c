"""Carries all joint cumulants up to the fourth in whole tensors."""

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.errors import Unsupported
from workbench.graph.rules import Affine, Identity, Pointwise
from workbench.propagation.base import Carrier
from workbench.propagation.blocks import Block, outer, total
from workbench.propagation.patterns import slice_of, symmetric
from workbench.propagation.scale import safe_std
from workbench.propagation.wick import DEGREE, Expansion


class Tensors(Carrier):
    """Mean and cumulants of one long vector in which the values that are needed stand in a row.

    An activation leaves the values beside it alone: to them it applies x -> x.

    Args:
        piece: of D.
        order: terms of the Hermite series of a covariance.
        most: the longest vector of which fourth cumulants are formed.
    """

    knows_third = True

    def __init__(self, piece: Piece, order: int, most: int):
        self.order, self.most = order, most
        self.mean = piece.mean
        self.cumulants = {2: Block(piece.cov, bool(piece.uncorrelated)).dense}
        self.ends = {0: (0, piece.mean.shape[-1])}

    def _part(self, x: Tensor, i: int) -> Tensor:
        """Value i's share of the last axis."""
        start, end = self.ends[i]
        return x[..., start:end]

    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        pairs = list(zip(what.maps, inputs, strict=True))
        beside = sorted(live - {i})

        def moved(rows: Tensor) -> Tensor:
            new = total(a(self._part(rows, j)) for a, j in pairs)
            return torch.cat([*(self._part(rows, k) for k in beside), new], -1)

        mean = moved(self.mean[..., None, :]).squeeze(-2)
        for d, x in self.cumulants.items():
            for _ in range(d):
                rows = x.flatten(-d, -2)
                self.flops += sum(a.flops(rows.numel() // rows.shape[-1]) for a, _ in pairs)
                x = moved(rows).unflatten(-2, x.shape[-d:-1]).movedim(-1, -d)
            self.cumulants[d] = x
        ends, start = {}, 0
        for k in beside:
            a, b = self.ends[k]
            ends[k] = start, start + b - a
            start += b - a
        self.ends = {**ends, i: (start, mean.shape[-1])}
        if what.offset is not None:
            mean = torch.cat([mean[..., :start], mean[..., start:] + what.offset], -1)
        self.mean = mean

    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        # Value i begins as a copy of its source.
        self.affine(i, (source,), Affine((Identity(),)), live)
        length = self.mean.shape[-1]
        if length > self.most:
            raise Unsupported(
                f"fourth cumulants of {length} values at once",
                f"propagator 'cumulant4' forms at most {self.most}; use 'cumulant' on wider ones",
            )
        var = torch.diagonal(self.cumulants[2], dim1=-2, dim2=-1)
        sd = safe_std(var)
        mean, sd = torch.broadcast_tensors(self.mean, sd)
        e = Expansion.of(what.row, mean, sd, var > 0, self.cumulants, self.ends[i][0], self.order)
        self.left_out(e.remainder)
        if e.strained:
            self.doubt = e.strained
        cov = e.covariance()
        own = torch.diagonal(cov, dim1=-2, dim2=-1)
        fourth = {
            (4,): e.joint((4,)) - 3.0 * own.square(),
            (3, 1): e.joint((3, 1)) - 3.0 * own[..., :, None] * cov,
            (2, 2): e.joint((2, 2)) - 2.0 * cov.square(),
            (2, 1, 1): e.joint((2, 1, 1)) - 2.0 * outer(cov),
            (1, 1, 1, 1): e.joint((1, 1, 1, 1)),
        }
        third = {p: e.joint(p) for p in ((3,), (2, 1), (1, 1, 1))}
        self.mean = e.mean
        self.cumulants = {2: cov, 3: symmetric(third), DEGREE: symmetric(fourth)}
        self.flops += 200.0 * self.cumulants[DEGREE].numel()

    def forget(self, live: set[int]) -> None:
        """Nothing: `affine` keeps no more than is needed."""

    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        var = torch.diagonal(self.cumulants[2], dim1=-2, dim2=-1)
        return self._part(self.mean, i), self._part(var, i)

    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        cov = self._part(self._part(self.cumulants[2], i).mT, i)
        return self._part(self.mean, i), cov

    def higher(self, i: int) -> tuple[Tensor | None, Tensor | None]:
        third, fourth = (
            self._part(slice_of(self.cumulants[d], (d,)), i) if d in self.cumulants else None
            for d in (3, 4)
        )
        return third, fourth
