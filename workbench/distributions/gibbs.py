"""A Gaussian weighed by the energy of a network: a law whose normalisation nobody knows."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions.base import Distribution, Energy
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.probing import check_energy
from workbench.errors import BadInput


@dataclass(frozen=True, eq=False)
class Gibbs(Energy, Distribution):
    """p(x) proportional to base(x) exp(-U(x)), U any network: known by an energy alone.

    The normalisation Z = E_base[exp(-U)] is an integral over all of space, so that neither draws
    nor moments nor a density are offered. With U = log(1 + exp(-r / c)) it is the base weighed by
    the logistic function of a recogniser r.

    Args:
        base: what U = 0 leaves.
        network: U, from `(batch, dim)` to `(batch, 1)`, in nats; it is not trained.

    Raises:
        BadInput: where the two do not fit together.

    >>> import torch
    >>> base = Gaussian(torch.zeros(2), torch.ones(2))
    >>> law = Gibbs(base, torch.nn.Linear(2, 1).requires_grad_(False))
    >>> law.log_weight(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    base: Gaussian
    network: nn.Module
    name: ClassVar[str] = "gibbs"

    def __post_init__(self) -> None:
        if not isinstance(self.base, Gaussian):
            got = getattr(self.base, "name", type(self.base).__name__)
            raise BadInput(f"an energy weighs a gaussian base, got {got}")
        check_energy(self.network, self.dim, self.dtype)

    @property
    def dim(self) -> int:
        return self.base.dim

    @property
    def dtype(self) -> torch.dtype:
        return self.base.dtype

    def energy(self, x: Tensor) -> Tensor:
        """U `(batch,)` in nats at x `(batch, dim)`."""
        return self.network(x)[:, 0]

    def log_weight(self, x: Tensor) -> Tensor:
        return self.base.log_prob(x) - self.energy(x)
