"""What the tails of a skewed margin share: its law in standard units, on its rarer side."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.math.law import Law
from workbench.tails.gaussian import Gaussian


@dataclass(frozen=True, eq=False)
class Standard:
    """Z = (s - mean) / std reflected so that its rarer side is above: P(Z > z) with z >= 0.

    Attributes:
        z: `(*B, r)`.
        skew, kurtosis: kappa_3 / std^3 and kappa_4 / std^4 of Z.
    """

    z: Tensor
    skew: Tensor
    kurtosis: Tensor


def standard(law: Law, tail: str) -> Standard:
    """The margins in standard units. Raises `Unsupported` where no third cumulant is known."""
    if law.third is None and law.fourth is None and not law.gaussian:
        raise Unsupported(
            f"tail {tail!r}",
            "it reads third cumulants: use propagator 'augmented', 'cumulant' or 'cumulant4'",
        )
    sd = law.std
    alive = sd > 0
    inv = torch.where(alive, 1.0 / torch.where(alive, sd, 1.0), 0.0)
    beta = law.mean * inv
    zero = torch.zeros_like(beta)
    third = zero if law.third is None else law.third * inv * inv * inv
    fourth = zero if law.fourth is None else law.fourth * inv * inv * inv * inv
    side = torch.where(beta > 0, -1.0, 1.0).to(beta)
    return Standard(beta.abs(), side * third, fourth)


def index_by(law: Law, tail: str, upper: Callable[[Standard], Tensor]) -> Tensor:
    """Reliability indices from `upper`, which gives b with P(Z > z) = Phi(-b) on the rarer side."""
    found = upper(standard(law, tail))
    signed = torch.where(law.mean > 0, found, -found)
    return torch.where(law.std > 0, signed, Gaussian().index(law))
