"""Spins weighed by the energy of a network: a law whose normalisation nobody knows."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workbench.distributions.probing import check_energy
from workbench.distributions.spins import Spins
from workbench.math.checks import check_vector


@dataclass(frozen=True, eq=False)
class SpinNetwork(Spins):
    """p(x) proportional to exp(h . x - U(x)) on x in {-1, 1}^d, U any network.

    That is a product of Bernoulli laws, of log odds 2 h, weighed by exp(-U).

    Args:
        fields: h, `(d,)`.
        network: U, from `(batch, d)` to `(batch, 1)`, in nats; it is not trained.

    Raises:
        BadInput: where the two do not fit together.

    >>> import torch
    >>> law = SpinNetwork(torch.zeros(2), torch.nn.Linear(2, 1).requires_grad_(False))
    >>> law.outcomes
    4
    """

    fields: Tensor
    network: nn.Module
    name: ClassVar[str] = "spin_network"

    def __post_init__(self) -> None:
        check_vector("the fields of spins", self.fields)
        check_energy(self.network, self.dim, self.dtype)

    def log_weight(self, x: Tensor) -> Tensor:
        return x @ self.fields - self.network(x)[:, 0]
