"""What a propagator needs to know of an operation: it is affine, or it acts elementwise.

One row of `describe` an operation; every propagator then handles it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.graph import Add, Bias, Elementwise, Flatten, Input, Linear, Op
from workbench.math import cost
from workbench.math.activations import Activation, activation


class LinearMap(ABC):
    """A linear map A from R^n to R^m, applied without being written out.

    Vectors lie along the last axis, whatever leads it: a matrix X `(*B, c, n)` becomes X A^T.
    """

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """A x for x `(..., n)`, `(..., m)`."""

    @abstractmethod
    def scale_columns(self, diagonal: Tensor) -> Tensor:
        """A diag(v) for v `(..., n)`, `(..., m, n)`."""

    @abstractmethod
    def variances(self, var: Tensor) -> Tensor:
        """The diagonal of A diag(v) A^T for v `(..., n)`, `(..., m)`."""

    @abstractmethod
    def flops(self, vectors: int) -> float:
        """Operations of applying A to this many vectors."""


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """A matrix `(m, n)`."""

    matrix: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.matrix)

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return self.matrix * diagonal[..., None, :]

    def variances(self, var: Tensor) -> Tensor:
        return F.linear(var, self.matrix.square())

    def flops(self, vectors: int) -> float:
        return cost.matmul(self.matrix.shape[0], self.matrix.shape[1], vectors)


@dataclass(frozen=True)
class Identity(LinearMap):
    """A = 1."""

    def __call__(self, x: Tensor) -> Tensor:
        return x

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return torch.diag_embed(diagonal)

    def variances(self, var: Tensor) -> Tensor:
        return var

    def flops(self, vectors: int) -> float:
        return 0.0


@dataclass(frozen=True, eq=False)
class Affine:
    """y = sum_i A_i x_i + c, one map an input."""

    maps: tuple[LinearMap, ...]
    offset: Tensor | None = None


@dataclass(frozen=True)
class Pointwise:
    """y_i = f(x_i)."""

    row: Activation


def describe(op: Op) -> Affine | Pointwise:
    """The operation as propagators see it."""
    match op:
        case Linear():
            return Affine((Dense(op.weight),), op.bias)
        case Bias():
            return Affine((Identity(),), op.value.reshape(-1))
        case Flatten() | Input():
            return Affine((Identity(),))
        case Add():
            return Affine((Identity(), Identity()))
        case Elementwise():
            return Pointwise(activation(op.activation))
