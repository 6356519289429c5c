"""A mixture of normal distributions."""

from collections.abc import Iterable
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
from workbench.distributions.gaussian import Gaussian
from workbench.errors import BadInput
from workbench.math.checks import check_vector
from workbench.math.gaussian import cdf


@dataclass(frozen=True, eq=False)
class Mixture(Reparameterised, Density, Moments, Factored, Distribution):
    """sum_k w_k N(mean_k, cov_k); weights are normalised to sum to 1.

    Its base noise has one coordinate more than x: Phi(z_0) picks the component.

    Args:
        weights: `(k,)`, positive.
        components: k Gaussians of one dimension.

    Raises:
        BadInput: where the weights are not positive, or the components no Gaussians alike.
    """

    weights: Tensor
    components: tuple[Gaussian, ...]
    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        if isinstance(self.components, Iterable):
            object.__setattr__(self, "components", tuple(self.components))
        if not isinstance(self.components, tuple):
            raise BadInput(f"a mixture needs a tuple of gaussians, got {self.components!r}")
        if not self.components:
            raise BadInput("a mixture needs at least one component, got none")
        for part in self.components:
            if not isinstance(part, Gaussian):
                got = getattr(part, "name", type(part).__name__)
                raise BadInput(f"the components of a mixture must be gaussians, one is {got}")
        check_vector("the weights of a mixture", self.weights, len(self.components))
        if not bool((self.weights > 0).all()):
            raise BadInput("the weights of a mixture must be positive")
        dims = {c.dim for c in self.components}
        if len(dims) != 1:
            raise BadInput(f"the components of a mixture differ in dimension: {sorted(dims)}")
        kinds = {str(c.dtype) for c in self.components}
        if len(kinds) != 1:
            raise BadInput(f"the components of a mixture differ in dtype: {sorted(kinds)}")

    @property
    def dim(self) -> int:
        return self.components[0].dim

    @property
    def noise_dim(self) -> int:
        return self.dim + 1

    @property
    def dtype(self) -> torch.dtype:
        return self.components[0].dtype

    @property
    def log_weights(self) -> Tensor:
        """log w_k, normalised, `(k,)`."""
        return torch.log(self.weights / self.weights.sum())

    def push(self, z: Tensor) -> Tensor:
        pick, x = picked(self.log_weights, z[:, 0]), z[:, 1:]
        out = torch.zeros_like(x)
        for k in pick.unique().tolist():
            rows = torch.nonzero(pick == k).squeeze(1)
            out = out.index_put((rows,), self.components[k].push(x[rows]))
        return out

    def log_prob(self, x: Tensor) -> Tensor:
        each = torch.stack([c.log_prob(x) for c in self.components], dim=-1)
        return torch.logsumexp(each + self.log_weights, dim=-1)

    def pieces(self) -> tuple[Piece, ...]:
        log_w = self.log_weights
        return tuple(
            Piece(log_w[k] + p.log_weight, p.mean, p.cov)
            for k, c in enumerate(self.components)
            for p in c.pieces()
        )

    def factors(self) -> tuple[Factor, ...]:
        log_w = self.log_weights
        each = ((log_w[k], f) for k, c in enumerate(self.components) for f in c.factors())
        return tuple(Factor(w + f.log_weight, f.offset, f.matrix, f.normal) for w, f in each)


def picked(log_weights: Tensor, z: Tensor) -> Tensor:
    """Which part standard normal z `(n,)` picks, each as often as its weight says, `(n,)`."""
    edges = torch.cumsum(torch.exp(log_weights), 0)[:-1]
    return torch.searchsorted(edges.detach(), cdf(z).detach().contiguous())
