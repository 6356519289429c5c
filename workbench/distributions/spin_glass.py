"""Spins with random couplings: a law whose normalisation nobody knows."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.distributions.spins import Spins
from workbench.errors import BadInput
from workbench.math.checks import check_finite, check_vector


@dataclass(frozen=True, eq=False)
class SpinGlass(Spins):
    """p(x) proportional to exp(beta (x . J x / 2 + h . x)) on x in {-1, 1}^d: an energy alone.

    (Sherrington and Kirkpatrick, 1975, where J is Gaussian.)

    Args:
        couplings: J, `(d, d)`, symmetric with a zero diagonal.
        fields: h, `(d,)`.
        beta: the inverse temperature, at least 0.

    Raises:
        BadInput: on wrong shapes, or a J that is not symmetric with a zero diagonal.

    >>> import torch
    >>> glass = SpinGlass(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.zeros(2), 2.0)
    >>> glass.log_weight(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    tensor([ 2., -2.])
    """

    couplings: Tensor
    fields: Tensor
    beta: float = 1.0
    name: ClassVar[str] = "spin_glass"

    def __post_init__(self) -> None:
        check_vector("the fields of a spin glass", self.fields)
        d = self.dim
        if self.couplings.shape != (d, d) or self.couplings.dtype != self.fields.dtype:
            raise BadInput(
                f"the couplings of {d} spins must have shape ({d}, {d}) and the dtype of the "
                f"fields, got {tuple(self.couplings.shape)}"
            )
        check_finite("the couplings of a spin glass", self.couplings)
        j = self.couplings.detach()
        if not torch.equal(j, j.T) or bool(torch.diagonal(j).any()):
            raise BadInput(
                "the couplings of a spin glass must be symmetric with a zero diagonal: pair i, j "
                "counts once"
            )
        if isinstance(self.beta, bool) or not isinstance(self.beta, int | float):
            raise BadInput(f"an inverse temperature must be a number, got {self.beta!r}")
        if not 0.0 <= self.beta < float("inf"):
            raise BadInput(
                f"an inverse temperature must be at least 0 and finite, got {self.beta!r}"
            )

    def log_weight(self, x: Tensor) -> Tensor:
        return self.beta * (0.5 * ((x @ self.couplings) * x).sum(1) + x @ self.fields)
