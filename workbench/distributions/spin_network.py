"""Spins weighed by the energy of a network: a law whose normalisation nobody knows."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions.probing import probed, shape_of
from workbench.distributions.spins import Spins
from workbench.errors import BadInput
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
        if not isinstance(self.network, nn.Module):
            raise BadInput(f"an energy must be a torch module, got {type(self.network).__name__}")
        u = probed("the energy", self.network, self.dim, self.dtype)
        if not isinstance(u, Tensor) or u.shape != (2, 1):
            raise BadInput(
                f"an energy must map (batch, d) to (batch, 1); two inputs gave {shape_of(u)}"
            )

    @property
    def dim(self) -> int:
        return self.fields.numel()

    @property
    def dtype(self) -> torch.dtype:
        return self.fields.dtype

    def log_weight(self, x: Tensor) -> Tensor:
        return x @ self.fields - self.network(x)[:, 0]
