"""D0 moved, and sheared along a few directions that are searched too."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.adversaries.families.base import AroundGaussian, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.errors import NotConverged
from workbench.estimators.base import check_positive
from workbench.rng import Rng


@dataclass(frozen=True)
class LowRank(AroundGaussian):
    """x = D0's mean + L (m + (I + A B^T) z): a shift, and a map that differs from I by rank r.

    A starts at random orthonormal columns and B at 0, where KL is about (|m|^2 + |B|^2) / 2.

    Args:
        rank: r, columns of A and B.
    """

    rank: int = 4
    name: ClassVar[str] = "low_rank"

    def __post_init__(self) -> None:
        check_positive(self.name, rank=self.rank)

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        return _LowRank(reference, min(self.rank, reference.dim), rng, points)


class _LowRank(Parameters):
    def __init__(self, reference: Gaussian, rank: int, rng: Rng, points: Tensor):
        super().__init__()
        self.reference = reference
        d, dtype = reference.dim, reference.dtype
        zero = torch.zeros_like(reference.mean)
        self.shift = nn.Parameter(points[0].clone() if len(points) else zero)
        draws = torch.randn(d, rank, generator=rng.child("directions").generator(), dtype=dtype)
        self.a = nn.Parameter(torch.linalg.qr(draws).Q)
        self.b = nn.Parameter(torch.zeros(d, rank, dtype=dtype))

    def forward(self) -> Gaussian:
        scale0, d = self.reference.scale, self.reference.dim
        eye = torch.eye(d, dtype=scale0.dtype)
        root = eye + self.a @ self.b.T
        factor, failed = torch.linalg.cholesky_ex(root @ root.T)
        if bool(failed):
            raise NotConverged("low_rank: the map I + A B^T that was searched has become singular")
        scale = scale0[:, None] * factor if self.reference.diagonal else scale0 @ factor
        return Gaussian(self.reference.push(self.shift), scale)
