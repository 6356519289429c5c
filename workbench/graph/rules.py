"""What a propagator needs to know of an operation: it is affine, it acts elementwise, or it is
linearised where its input lies. Every propagator handles these three, whatever the operation.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.math import cost
from workbench.math.activations import Activation


class LinearMap(ABC):
    """A linear map A from R^n to R^m, applied without being written out."""

    diagonal: ClassVar[bool] = False
    """Whether it is n x n with entries on the diagonal alone."""

    @abstractmethod
    def __call__(self, rows: Tensor) -> Tensor:
        """X A^T for X `(*B, c, n)`: A applied to each of the c rows; `(*B, c, m)`."""

    def vector(self, x: Tensor) -> Tensor:
        """A x for x `(*B, n)`, `(*B, m)`."""
        return self(x[..., None, :]).squeeze(-2)

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        """A diag(v) for v `(*B, n)`, `(*B, m, n)`."""
        return self(torch.diag_embed(diagonal)).mT

    def powered(self, rows: Tensor, p: int) -> Tensor:
        """X B^T for X `(*B, c, n)`, B with the entries of A to the power p."""
        n = rows.shape[-1]
        matrix = self(torch.eye(n, dtype=rows.dtype, device=rows.device))  # transposed
        return rows @ matrix.pow(p)

    def times(self, c: Tensor | float) -> "LinearMap":
        """diag(c) A; c is a number or `(m,)`."""
        return Chained(self, Diagonal(c))

    def variances(self, var: Tensor) -> Tensor:
        """The diagonal of A diag(v) A^T for v `(*B, n)`, `(*B, m)`."""
        return self.powered(var[..., None, :], 2).squeeze(-2)

    @abstractmethod
    def flops(self, vectors: int) -> float:
        """Operations of applying A to this many vectors."""


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """A matrix `(m, n)`."""

    matrix: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self.matrix)

    def vector(self, x: Tensor) -> Tensor:
        return F.linear(x, self.matrix)

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return self.matrix * diagonal[..., None, :]

    def powered(self, rows: Tensor, p: int) -> Tensor:
        return F.linear(rows, self.matrix.pow(p))

    def flops(self, vectors: int) -> float:
        return cost.matmul(self.matrix.shape[0], self.matrix.shape[1], vectors)


@dataclass(frozen=True)
class Identity(LinearMap):
    """A = 1."""

    diagonal: ClassVar[bool] = True

    def __call__(self, rows: Tensor) -> Tensor:
        return rows

    def vector(self, x: Tensor) -> Tensor:
        return x

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return torch.diag_embed(diagonal)

    def powered(self, rows: Tensor, p: int) -> Tensor:
        return rows

    def flops(self, vectors: int) -> float:
        return 0.0


@dataclass(frozen=True, eq=False)
class Diagonal(LinearMap):
    """A = diag(values), `(n,)`; a number where all entries are the same."""

    values: Tensor | float
    diagonal: ClassVar[bool] = True

    def __call__(self, rows: Tensor) -> Tensor:
        return rows * self.values

    def vector(self, x: Tensor) -> Tensor:
        return x * self.values

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return torch.diag_embed(diagonal * self.values)

    def powered(self, rows: Tensor, p: int) -> Tensor:
        return rows * self.values**p

    def flops(self, vectors: int) -> float:
        return float(self.values.numel() * vectors) if isinstance(self.values, Tensor) else 0.0


@dataclass(frozen=True, eq=False)
class Applied(LinearMap):
    """A linear map as a function on batches: its matrix is never formed.

    Args:
        function: `(batch, *shape)` to `(batch, ...)`, linear.
        entries: the same with every entry of the matrix to the power p, its second argument; None
            where the matrix must be formed for it.
        shape: of one input.
        work: operations on one input.
    """

    function: Callable[[Tensor], Tensor]
    entries: Callable[[Tensor, int], Tensor] | None
    shape: tuple[int, ...]
    work: float

    def __call__(self, rows: Tensor) -> Tensor:
        return self._on(self.function, rows)

    def powered(self, rows: Tensor, p: int) -> Tensor:
        entries = self.entries
        if entries is None:
            return super().powered(rows, p)
        return self._on(lambda x: entries(x, p), rows)

    def _on(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        lead = x.shape[:-1]
        return function(x.reshape(-1, *self.shape)).reshape(*lead, -1)

    def flops(self, vectors: int) -> float:
        return self.work * vectors


@dataclass(frozen=True, eq=False)
class Chained(LinearMap):
    """A diagonal matrix times another."""

    first: LinearMap
    then: Diagonal

    def __call__(self, rows: Tensor) -> Tensor:
        return self.then(self.first(rows))

    def powered(self, rows: Tensor, p: int) -> Tensor:
        return self.then.powered(self.first.powered(rows, p), p)

    def flops(self, vectors: int) -> float:
        return self.first.flops(vectors) + self.then.flops(vectors)


def selecting(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> LinearMap:
    """A map of batches `(batch, *shape)` whose matrix has the entries 0 and 1 alone."""
    return Applied(function, lambda x, p: function(x), shape, 0.0)


@dataclass(frozen=True, eq=False)
class Affine:
    """y = sum_i A_i x_i + c, one map an input; c `(m,)`, or 0-d where all entries are the same.

    `least` `(m,)`: of y, where the rule is that of the operation from there on alone.
    """

    maps: tuple[LinearMap, ...]
    offset: Tensor | None = None
    least: Tensor | None = None


@dataclass(frozen=True)
class Pointwise:
    """y_i = f(x_i)."""

    row: Activation


class Linearised(ABC):
    """y = f(x), replaced by the affine map that is nearest to it under the law of x."""

    @abstractmethod
    def at(self, mean: Tensor, cov: Tensor) -> Affine:
        """The affine map at x of mean `(*B, n)` and covariance `(*B, n, n)`.

        Its offset is such that y's mean is f's own mean, as far as the law gives it.
        """


Rule = Affine | Pointwise | Linearised
