"""What a propagator needs to know of an operation: it is affine, or it acts elementwise.

One row of `describe` an operation; every propagator then handles it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from workbench.graph import Add, Bias, Elementwise, Flatten, Input, Linear, Op
from workbench.math import cost
from workbench.math.activations import Activation, activation


class LinearMap(ABC):
    """A linear map A from R^n to R^m, applied without being written out."""

    @abstractmethod
    def __call__(self, columns: Tensor) -> Tensor:
        """A X for X `(n, c)`, or A x for x `(n,)`."""

    @abstractmethod
    def scale_columns(self, diagonal: Tensor) -> Tensor:
        """A diag(v) as a matrix `(m, n)`, or as a vector where it is diagonal."""

    @abstractmethod
    def variances(self, var: Tensor) -> Tensor:
        """The diagonal of A diag(v) A^T, `(m,)`."""

    @abstractmethod
    def flops(self, columns: int) -> float:
        """Operations of applying A to this many columns."""


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """A matrix `(m, n)`."""

    matrix: Tensor

    def __call__(self, columns: Tensor) -> Tensor:
        return self.matrix @ columns

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return self.matrix * diagonal

    def variances(self, var: Tensor) -> Tensor:
        return self.matrix.square() @ var

    def flops(self, columns: int) -> float:
        return cost.matmul(self.matrix.shape[0], self.matrix.shape[1], columns)


@dataclass(frozen=True)
class Identity(LinearMap):
    """A = 1."""

    def __call__(self, columns: Tensor) -> Tensor:
        return columns

    def scale_columns(self, diagonal: Tensor) -> Tensor:
        return diagonal

    def variances(self, var: Tensor) -> Tensor:
        return var

    def flops(self, columns: int) -> float:
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
