"""ReLU."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.math.activations.base import FLAT, Activation, hermite_normalised, segment_powers
from workbench.math.gaussian import cdf, excess, pdf


@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0): with alpha = mu/sigma, E = sigma (phi + alpha Phi), b_1 = sigma Phi,
    b_k = sigma (-1)^k He_{k-2}(alpha) phi(alpha) / sqrt(k!)."""

    name: ClassVar[str] = "relu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.ReLU

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,)

    def __call__(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def derivative(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        alpha = mu / sigma
        # relu(X) = X + relu(-X): integrate on the negative side, where nothing cancels.
        up = alpha > 0
        low = torch.where(up, -alpha, alpha)
        mass, over = cdf(low), excess(low)
        part = mass * over
        # E[relu^2] - E[relu]^2 of the negative side over sigma^2.
        spread = torch.clamp(mass * (1.0 + low * over) - part * part, min=0.0)
        mean = sigma * part + torch.where(up, mu, 0.0)
        var = sigma * sigma * torch.where(up, 1.0 + spread - 2.0 * mass, spread)
        return mean, torch.clamp(var, min=0.0)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        alpha = mu / sigma
        rows = [sigma * cdf(alpha)]
        if order > 1:
            a = torch.clamp(alpha, -FLAT, FLAT)
            weight = sigma * pdf(a)
            for k, h in enumerate(hermite_normalised(a, order - 2), start=2):
                rows.append(weight * h * ((-1.0) ** k / math.sqrt(k * (k - 1))))
        return torch.stack(rows[:order])

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        return segment_powers(mu, sigma, centre, (0.0,), ((0.0, 0.0), (0.0, 1.0)), degree, order)
