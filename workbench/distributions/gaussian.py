"""The multivariate normal distribution."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import (
    Density,
    Distribution,
    Factor,
    Factored,
    Moments,
    Piece,
    Reparameterised,
)
from workbench.errors import BadInput
from workbench.math.checks import check_finite, check_vector
from workbench.math.gaussian import LOG_SQRT_2PI


@dataclass(frozen=True, eq=False)
class Gaussian(Reparameterised, Density, Moments, Factored, Distribution):
    """x = mean + scale z, z ~ N(0, I).

    Args:
        mean: `(d,)`.
        scale: standard deviations `(d,)`, or a lower-triangular factor L `(d, d)` with
            covariance L L^T.

    Raises:
        BadInput: on wrong shapes, non-finite entries, or a diagonal that is not positive.

    >>> import torch
    >>> Gaussian(torch.zeros(3), torch.ones(3)).log_prob(torch.zeros(1, 3))
    tensor([-2.7568])
    """

    mean: Tensor
    scale: Tensor
    name: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        check_vector("the mean of a gaussian", self.mean)
        d = self.dim
        if self.scale.dtype != self.mean.dtype:
            raise BadInput(
                f"mean and scale of a gaussian must share a dtype, got {self.mean.dtype} and "
                f"{self.scale.dtype}"
            )
        if self.scale.ndim == 1:
            check_vector("the scale of a gaussian", self.scale, d)
            diagonal = self.scale
        else:
            if self.scale.shape != (d, d):
                raise BadInput(
                    f"the scale of a gaussian must have shape ({d},) or ({d}, {d}), "
                    f"got {tuple(self.scale.shape)}"
                )
            check_finite("the scale of a gaussian", self.scale)
            if bool(torch.triu(self.scale.detach(), 1).any()):
                raise BadInput("a matrix scale must be lower triangular: pass its Cholesky factor")
            diagonal = torch.diagonal(self.scale)
        if not bool((diagonal > 0).all()):
            raise BadInput("the scale of a gaussian must be positive on its diagonal")

    @property
    def dim(self) -> int:
        return self.mean.numel()

    @property
    def noise_dim(self) -> int:
        return self.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    @property
    def diagonal(self) -> bool:
        """Whether the coordinates are independent."""
        return self.scale.ndim == 1

    def push(self, z: Tensor) -> Tensor:
        return self.mean + (z * self.scale if self.diagonal else z @ self.scale.T)

    def pull(self, x: Tensor) -> Tensor:
        """z with push(z) = x."""
        gap = x - self.mean
        if self.diagonal:
            return gap / self.scale
        return torch.linalg.solve_triangular(self.scale, gap.T, upper=False).T

    def log_prob(self, x: Tensor) -> Tensor:
        z = self.pull(x)
        diagonal = self.scale if self.diagonal else torch.diagonal(self.scale)
        volume = torch.log(diagonal).sum() + self.dim * LOG_SQRT_2PI
        return -0.5 * z.square().sum(-1) - volume

    def covariance(self, of_noise: Tensor) -> Tensor:
        """Covariance `(d, d)` of x where that of z is `of_noise` `(d, d)`."""
        if self.diagonal:
            return of_noise * torch.outer(self.scale, self.scale)
        return self.scale @ of_noise @ self.scale.T

    def pieces(self) -> tuple[Piece, ...]:
        cov = self.scale.square() if self.diagonal else self.scale @ self.scale.T
        return (Piece(self.mean.new_zeros(()), self.mean, cov),)

    def factors(self) -> tuple[Factor, ...]:
        return (Factor(self.mean.new_zeros(()), self.mean, self.scale, normal=True),)
