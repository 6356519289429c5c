"""D0 moved as a whole."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.adversaries.families.base import AroundGaussian, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.rng import Rng


@dataclass(frozen=True)
class Shifted(AroundGaussian):
    """x = D0's mean + L (theta + z): the mean moves by theta in units of D0's own spread L.

    KL(D || D0) = |theta|^2 / 2. For affine M and a half-space C the best shift of kappa nats is
    sqrt(2 kappa) along the normal, and log P = log Phi(sqrt(2 kappa) - beta).

    >>> import torch
    >>> from workbench.distributions import Gaussian
    >>> D0 = Gaussian(torch.zeros(2), torch.full((2,), 0.5))
    >>> Shifted().module(D0, Rng(0), torch.zeros(0, 2))()
    Gaussian(mean=tensor([0., 0.], grad_fn=<AddBackward0>), scale=tensor([0.5000, 0.5000]))
    """

    name: ClassVar[str] = "shifted"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        return _Shifted(reference, points)


class _Shifted(Parameters):
    def __init__(self, reference: Gaussian, points: Tensor):
        super().__init__()
        self.reference = reference
        zero = torch.zeros_like(reference.mean)
        self.shift = nn.Parameter(points[0].clone() if len(points) else zero)

    def forward(self) -> Gaussian:
        return Gaussian(self.reference.push(self.shift), self.reference.scale)
