"""tanh."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.quadrature import normal_trapezoid


@dataclass(frozen=True)
class Tanh(Activation):
    """tanh(x): no closed form; the trapezoidal rule on [-9, 9] standard deviations."""

    name: ClassVar[str] = "tanh"
    nodes: int = 193

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def _values(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, w = normal_trapezoid(self.nodes, mu.dtype, mu.device)
        return torch.tanh(mu[..., None] + sigma[..., None] * z), z, w

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        f, _, w = self._values(mu, sigma)
        mean = f @ w
        return mean, (f - mean[..., None]).square() @ w

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        f, z, w = self._values(mu, sigma)
        basis = torch.stack([h * w for h in hermite_normalised(z, order)[1:]])
        return torch.movedim(f @ basis.T, -1, 0)
