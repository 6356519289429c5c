"""K = 1: a mean and a variance per neuron, all neurons presumed independent."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.graph.rules import Affine, Pointwise
from workbench.propagation.base import Carrier, Propagator
from workbench.propagation.blocks import total
from workbench.propagation.scale import safe_std


class _Variances(Carrier):
    def __init__(self, piece: Piece):
        var = piece.cov if piece.uncorrelated else torch.diagonal(piece.cov, dim1=-2, dim2=-1)
        self.values: dict[int, tuple[Tensor, Tensor]] = {0: (piece.mean, var)}

    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        means, variances = zip(*(self.values[j] for j in inputs), strict=True)
        mean = total(a.vector(m) for a, m in zip(what.maps, means, strict=True))
        var = total(a.variances(v) for a, v in zip(what.maps, variances, strict=True))
        pieces = mean.numel() // mean.shape[-1]
        self.flops += 2.0 * pieces * sum(a.flops(1) for a in what.maps)
        self.values[i] = (mean if what.offset is None else mean + what.offset, var)

    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        mean, var = self.values[source]
        out, spread = what.row.moments(mean, safe_std(var))
        self.values[i] = out, torch.where(var > 0, spread, 0.0)  # what is constant stays so
        self.flops += 20.0 * mean.numel()

    def forget(self, live: set[int]) -> None:
        self.values = {j: v for j, v in self.values.items() if j in live}

    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        return self.values[i]

    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        mean, var = self.values[i]
        return mean, torch.diag_embed(var)


@dataclass(frozen=True)
class Mean(Propagator):
    """Means and variances alone: the presumption that all neurons are independent.

    Cost n^2 a layer, as a forward pass. Wrong wherever correlations matter: on two conjunctions
    (x1 and x2) and (x2 and x3) of fair bits it gives 1/16 where the truth is 1/8.
    """

    name: ClassVar[str] = "mean"
    covariances: ClassVar[bool] = False

    def start(self, piece: Piece) -> Carrier:
        return _Variances(piece)
