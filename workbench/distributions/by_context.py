"""A law of its own for every class or context."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.base import Density, Distribution, Reparameterised
from workbench.distributions.mixture import picked
from workbench.errors import BadInput
from workbench.math.checks import check_vector


@dataclass(frozen=True, eq=False)
class ByContext(Reparameterised, Density, Distribution):
    """c ~ weights, then x ~ parts[c]: as a law of x alone, sum_c w_c D_c(x).

    Unlike a `Mixture` its parts may be of any kind, and the context c counts as seen: the relative
    entropy of two such laws is that of (c, x), by the chain rule. Its base noise has the coordinate
    that picks c, then that of the longest part.

    Args:
        weights: `(k,)`, positive; normalised to sum to 1.
        parts: k laws of one dimension, with noise and a density.
    """

    weights: Tensor
    parts: tuple[Distribution, ...]
    name: ClassVar[str] = "by_context"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise BadInput("a law by context needs at least one context, got none")
        check_vector("the weights of contexts", self.weights, len(self.parts))
        if not bool((self.weights > 0).all()):
            raise BadInput("the weights of contexts must be positive")
        if len({part.dim for part in self.parts}) != 1:
            raise BadInput("the laws of the contexts differ in dimension")
        for part in self.parts:
            if not isinstance(part, Reparameterised) or not isinstance(part, Density):
                raise BadInput(f"the law of a context needs noise and a density: {part.name} lacks")

    @property
    def dim(self) -> int:
        return self.parts[0].dim

    @property
    def dtype(self) -> torch.dtype:
        return self.parts[0].dtype

    @property
    def noise_dim(self) -> int:
        return 1 + max(part.noise_dim for part in self._made())

    @property
    def log_weights(self) -> Tensor:
        """log w_c, normalised, `(k,)`."""
        return torch.log(self.weights / self.weights.sum())

    def push(self, z: Tensor) -> Tensor:
        pick = picked(self.log_weights, z[:, 0])
        out = z.new_zeros(len(z), self.dim)
        for k, part in enumerate(self._made()):
            own = part.push(z[:, 1 : 1 + part.noise_dim])
            out = torch.where((pick == k)[:, None], own, out)
        return out

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.logsumexp(self.log_each(x), dim=-1)

    def log_each(self, x: Tensor) -> Tensor:
        """log w_c D_c(x), `(batch, k)`."""
        each = [part.log_prob(x) for part in self.parts if isinstance(part, Density)]
        return torch.stack(each, dim=-1) + self.log_weights

    def _made(self) -> tuple[Reparameterised, ...]:
        return tuple(part for part in self.parts if isinstance(part, Reparameterised))
