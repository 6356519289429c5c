"""Covariances between two values, which may be diagonal."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.graph.rules import Identity, LinearMap


@dataclass(frozen=True, eq=False)
class Block:
    """Cov(value i, value j): a matrix `(*B, n_i, n_j)`, or a diagonal `(*B, n)`."""

    values: Tensor
    diagonal: bool = False

    @property
    def T(self) -> "Block":
        return self if self.diagonal else Block(self.values.mT)

    @property
    def dense(self) -> Tensor:
        return torch.diag_embed(self.values) if self.diagonal else self.values

    @property
    def variances(self) -> Tensor:
        return self.values if self.diagonal else torch.diagonal(self.values, dim1=-2, dim2=-1)

    def times(self, a: LinearMap) -> "Block":
        """A times the matrix."""
        if isinstance(a, Identity):
            return self
        if self.diagonal and a.diagonal:
            return Block(a.vector(self.values), True)
        if self.diagonal:
            return Block(a.scale_columns(self.values))
        return Block(a(self.values.mT).mT)

    def flops(self, a: LinearMap) -> float:
        """Operations of `times`."""
        if self.diagonal or isinstance(a, Identity):
            return 0.0
        return a.flops(self.values.numel() // self.values.shape[-2])


def sum_of(blocks: Iterable[Block]) -> Block:
    """The sum of blocks, of which some may be diagonal."""
    parts = list(blocks)
    diagonal = all(p.diagonal for p in parts)
    return Block(total([p.values if diagonal else p.dense for p in parts]), diagonal)


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum of tensors."""
    first, *rest = parts
    for p in rest:
        first = first + p
    return first


def outer(x: Tensor) -> Tensor:
    """x x^T for x `(*B, n)`."""
    return x[..., :, None] * x[..., None, :]
