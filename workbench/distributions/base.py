"""What a distribution D can do: small abstract classes, one a capability.

A distribution is a frozen value of tensors; trainable ones are produced by a Module that holds the
parameters. An estimator names the capabilities that it needs, and no others are ever asked for.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


class Distribution(ABC):
    """A law of inputs x in R^dim."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of x."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the samples."""


class Sampleable(ABC):
    """Independent draws."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, dim)` independent draws."""


class Density(ABC):
    """A normalised density."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log density in nats at `x` `(batch, dim)`; shape `(batch,)`."""


class Reparameterised(Sampleable, ABC):
    """x = G(z) with base noise z ~ N(0, I): what the chains of `subset` move in."""

    @property
    @abstractmethod
    def noise_dim(self) -> int:
        """Length of z."""

    @abstractmethod
    def push(self, z: Tensor) -> Tensor:
        """x = G(z): `(batch, noise_dim)` to `(batch, dim)`."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype: ...

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """`(n, noise_dim)` draws of z."""
        return torch.randn(
            n, self.noise_dim, generator=generator, dtype=self.dtype, device=generator.device
        )

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.push(self.noise(n, generator))


@dataclass(frozen=True)
class Piece:
    """One piece of D by its first two moments; D = sum of exp(log_weight) times its pieces.

    `cov` is `(d, d)`, or `(d,)` where the coordinates are uncorrelated.
    """

    log_weight: Tensor
    mean: Tensor
    cov: Tensor


class Moments(ABC):
    """Means and covariances in closed form: where propagation starts."""

    @abstractmethod
    def pieces(self) -> tuple[Piece, ...]:
        """D as a weighted sum of pieces; the law of total probability is applied over them."""


class BoxSupport(ABC):
    """A bounded support: where interval bounds start."""

    @abstractmethod
    def bounds(self) -> tuple[Tensor, Tensor]:
        """Least and greatest value of every coordinate, each `(dim,)`."""
