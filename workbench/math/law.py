"""The law of the margins as a propagator leaves it and a tail reads it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Law:
    """Cumulants of the half-space margins s_i = a_i . y + b_i.

    Args:
        mean: `(*B, r)`, with the leading axes of the piece that was propagated.
        cov: `(*B, r, r)`.
        third: kappa_3 of each margin, `(*B, r)`; None where the propagator carries none.
        fourth: kappa_4 of each margin, likewise.
        gaussian: whether the propagator that left no third cumulants knows them to be 0.
        remainder: what the series of a covariance left out at most, at any layer, as a share of
            the product of the standard deviations; None where no series was used.
        doubt: why the propagator's own approximations should not be trusted here; else empty.
    """

    mean: Tensor
    cov: Tensor
    third: Tensor | None = None
    fourth: Tensor | None = None
    gaussian: bool = False
    remainder: float | None = None
    doubt: str = ""

    @property
    def std(self) -> Tensor:
        """Standard deviations `(*B, r)`; exactly 0 stays 0, with zero gradient."""
        var = torch.clamp(torch.diagonal(self.cov, dim1=-2, dim2=-1), min=0.0)
        positive = var > 0
        return torch.where(positive, torch.sqrt(torch.where(positive, var, 1.0)), 0.0)

    @property
    def corr(self) -> Tensor:
        """Correlation matrix `(*B, r, r)`; a constant margin is uncorrelated with the others."""
        sd = self.std
        safe = torch.where(sd > 0, sd, 1.0)
        raw = torch.clamp(self.cov / (safe[..., :, None] * safe[..., None, :]), -1.0, 1.0)
        eye = torch.eye(sd.shape[-1], dtype=raw.dtype, device=raw.device)
        return torch.where(eye > 0, eye, raw)
