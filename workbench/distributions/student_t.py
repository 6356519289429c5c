"""The multivariate t distribution: a Gaussian of random width, with tails that are powers."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import (
    Density,
    Distribution,
    Moments,
    Piece,
    Reparameterised,
)
from workbench.distributions.gaussian import Gaussian
from workbench.errors import BadInput
from workbench.math.gamma import log_gamma_quantile

_LEAST, _MOST = 1.0, 1e6
_FAR, _NEAR = -11.5, 8.5  # where the widths begin and end: 7e-31 and 1e-17 are left out
_STEP = 1.0  # from width to width, over the standard deviation of their logarithm


@dataclass(frozen=True, eq=False)
class StudentT(Reparameterised, Density, Moments, Distribution):
    """x = mean + scale z / sqrt(w), z ~ N(0, I) and w ~ chi^2_df / df, one w for all coordinates.

    Its coordinates are uncorrelated where the scale is diagonal but never independent: a draw far
    out is far out in several. P(|x| > r) falls like r^-df, and E|x|^df is infinite: no variance for
    df <= 2, no mean for df = 1, the Cauchy law. (Kotz and Nadarajah, Multivariate t Distributions
    and Their Applications, 2004, section 1.1.)

    Given w it is Gaussian, so that propagation from moments serves it: `pieces` are the Gaussians
    of some dozen widths, the nodes of the trapezoidal rule in log w, which is right to 1e-3 of P
    down to P = 1e-28. Samplers draw exactly. The first coordinate of the noise is the width, w's
    quantile at Phi(-z_0); the others are z.

    Args:
        mean: `(d,)`, the centre.
        scale: as of a `Gaussian`: a number, one a coordinate `(d,)`, or a lower-triangular factor
            `(d, d)`. The covariance is df / (df - 2) times that of the Gaussian.
        df: degrees of freedom, 1 to 1e6.

    Raises:
        BadInput: on df that is no number in that range, and whatever a `Gaussian` refuses.

    >>> import torch
    >>> cauchy = StudentT(torch.zeros(1), torch.ones(1), df=1.0)
    >>> cauchy.log_prob(torch.zeros(1, 1)).exp() * torch.pi
    tensor([1.])
    """

    mean: Tensor
    scale: Tensor
    df: float
    name: ClassVar[str] = "student_t"
    stretched: ClassVar[bool] = True

    if TYPE_CHECKING:

        def __init__(self, mean: Tensor, scale: Tensor | float, df: float) -> None: ...

    def __post_init__(self) -> None:
        df = self.df
        if isinstance(df, bool) or not isinstance(df, int | float) or not _LEAST <= df <= _MOST:
            raise BadInput(
                "the degrees of freedom of a student_t must be a number from 1 (Cauchy) to 1e6 "
                f"(Gaussian), got {df!r}"
            )
        object.__setattr__(self, "df", float(df))
        try:
            object.__setattr__(self, "scale", Gaussian(self.mean, self.scale).scale)
        except BadInput as error:
            raise BadInput(str(error).replace("gaussian", "student_t")) from None

    @property
    def gaussian(self) -> Gaussian:
        """What is left of it at w = 1: the same mean and scale."""
        return Gaussian(self.mean, self.scale)

    @property
    def dim(self) -> int:
        return self.mean.numel()

    @property
    def noise_dim(self) -> int:
        return self.dim + 1

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    def push(self, z: Tensor) -> Tensor:
        a = 0.5 * self.df
        log_w = log_gamma_quantile(-z[:, :1].double(), a) - math.log(a)
        return self.gaussian.push(z[:, 1:] * torch.exp(-0.5 * log_w).to(z.dtype))

    def log_prob(self, x: Tensor) -> Tensor:
        half, d = 0.5 * self.df, self.dim
        n = self.gaussian
        far = torch.log1p(n.pull(x).square().sum(-1) / self.df)
        diagonal = n.scale if n.diagonal else torch.diagonal(n.scale)
        level = math.lgamma(half + 0.5 * d) - math.lgamma(half)
        level -= 0.5 * d * math.log(self.df * math.pi)
        return level - torch.log(diagonal).sum() - (half + 0.5 * d) * far

    def widths(self) -> tuple[Tensor, Tensor]:
        """Nodes of the law of w: log weights, which sum to 1, and log w; each `(n,)`.

        The integrand of the law of total probability is smooth in log w and falls off on both
        sides, so that the trapezoidal rule converges faster than any power of its step
        (Trefethen and Weideman, SIAM Rev. 56, 2014).
        """
        a = 0.5 * self.df
        ends = torch.tensor([_FAR, _NEAR], dtype=torch.float64, device=self.mean.device)
        low, high = log_gamma_quantile(ends, a).tolist()
        n = math.ceil((high - low) * math.sqrt(a + 0.25) / _STEP)
        v = torch.linspace(low, high, n + 1, dtype=torch.float64, device=self.mean.device)
        log_weight = torch.log_softmax(a * v - torch.exp(v), 0)
        return log_weight.to(self.dtype), (v - math.log(a)).to(self.dtype)

    def pieces(self) -> tuple[Piece, ...]:
        (piece,) = self.gaussian.pieces()
        log_weight, log_w = self.widths()
        return tuple(
            Piece(p, piece.mean, piece.cov * torch.exp(-v))
            for p, v in zip(log_weight, log_w, strict=True)
        )
