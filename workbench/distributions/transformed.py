"""A normal law bent by an invertible network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions.base import Density, Distribution, Reparameterised
from workbench.distributions.gaussian import Gaussian
from workbench.math.swapped import called_with


@dataclass(frozen=True, eq=False)
class Transformed(Reparameterised, Density, Distribution):
    """x = base(T(z)), z ~ N(0, I): T an invertible network in the noise of a Gaussian.

    log density(x) = log base(x) + |T(z)|^2 / 2 - |z|^2 / 2 - log |det T'(z)| at the z of x.

    Args:
        base: what T = identity leaves.
        network: `network(z)` gives T(z) `(batch, d)` and log |det T'(z)| `(batch,)`;
            `network(e, inverse=True)` the z with T(z) = e, and log |det T'(z)| there.
        tensors: the network's parameters, by name; they carry the graph.
    """

    base: Gaussian
    network: nn.Module
    tensors: Mapping[str, Tensor]
    name: ClassVar[str] = "transformed"

    @property
    def dim(self) -> int:
        return self.base.dim

    @property
    def noise_dim(self) -> int:
        return self.base.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    def bend(self, z: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """What `network` says of z `(batch, d)`, with these tensors."""
        return called_with(self.network, self.tensors, (z, inverse))

    def push(self, z: Tensor) -> Tensor:
        return self.base.push(self.bend(z)[0])

    def log_prob(self, x: Tensor) -> Tensor:
        e = self.base.pull(x)
        z, log_det = self.bend(e, inverse=True)
        return self.base.log_prob(x) + 0.5 * (e.square() - z.square()).sum(-1) - log_det
