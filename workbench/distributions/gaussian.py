"""The multivariate normal distribution."""

from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, ClassVar

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
        scale: one standard deviation for all coordinates, a number each `(d,)`, or a
            lower-triangular factor L `(d, d)` with covariance L L^T.
        covariance: in place of the scale, `(d, d)`; its Cholesky factor becomes the scale.

    Raises:
        BadInput: on wrong shapes, non-finite entries, a diagonal that is not positive, or a
            covariance that is not symmetric and positive definite.

    >>> import torch
    >>> Gaussian(torch.zeros(3), torch.ones(3)).log_prob(torch.zeros(1, 3))
    tensor([-2.7568])
    >>> Gaussian(torch.zeros(2), 0.5).scale, Gaussian(torch.zeros(2), covariance=torch.eye(2)).scale
    (tensor([0.5000, 0.5000]), tensor([[1., 0.],
            [0., 1.]]))
    """

    mean: Tensor
    scale: Tensor = None  # type: ignore[assignment]
    covariance: InitVar[Tensor | None] = None
    name: ClassVar[str] = "gaussian"

    if TYPE_CHECKING:

        def __init__(
            self, mean: Tensor, scale: Tensor | float = ..., covariance: Tensor | None = None
        ) -> None: ...

    def __post_init__(self, covariance: Tensor | None) -> None:
        check_vector("the mean of a gaussian", self.mean)
        if (self.scale is None) == (covariance is None):
            raise BadInput("a gaussian needs its scale or its covariance, one of the two")
        scale = self.scale if covariance is None else _factor(covariance, self.mean)
        if isinstance(scale, int | float) and not isinstance(scale, bool):
            scale = torch.full_like(self.mean, scale)
        if not isinstance(scale, Tensor):
            raise BadInput(
                "the scale of a gaussian must be a number, or a tensor of standard deviations (d,) "
                f"or of a triangular factor (d, d), got {type(scale).__name__}"
            )
        scale = scale * torch.ones_like(self.mean) if scale.ndim == 0 else scale
        object.__setattr__(self, "scale", scale)
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
                raise BadInput(
                    "a matrix scale must be lower triangular: pass its Cholesky factor, or "
                    "covariance=K"
                )
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

    def covariance_of(self, of_noise: Tensor) -> Tensor:
        """Covariance `(d, d)` of x where that of z is `of_noise` `(d, d)`."""
        if self.diagonal:
            return of_noise * torch.outer(self.scale, self.scale)
        return self.scale @ of_noise @ self.scale.T

    def pieces(self) -> tuple[Piece, ...]:
        cov = self.scale.square() if self.diagonal else self.scale @ self.scale.T
        return (Piece(self.mean.new_zeros(()), self.mean, cov),)

    def factors(self) -> tuple[Factor, ...]:
        return (Factor(self.mean.new_zeros(()), self.mean, self.scale, normal=True),)


def _factor(covariance: Tensor, mean: Tensor) -> Tensor:
    """The lower-triangular factor of a covariance. Raises `BadInput` where it is none."""
    d = mean.numel()
    if not isinstance(covariance, Tensor) or covariance.shape != (d, d):
        got = tuple(covariance.shape) if isinstance(covariance, Tensor) else type(covariance)
        raise BadInput(f"the covariance of a gaussian must be a tensor ({d}, {d}), got {got}")
    check_finite("the covariance of a gaussian", covariance)
    slack = 1e-5 * covariance.detach().abs().max()
    if bool(((covariance - covariance.T).detach().abs() > slack).any()):
        raise BadInput("the covariance of a gaussian must be symmetric")
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if bool(failed):
        raise BadInput(
            "the covariance of a gaussian must be positive definite: add a little to its diagonal"
        )
    return factor
