"""Activations of analytic pieces: Gauss-Legendre on panels that meet at the corners."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.gaussian import pdf
from workbench.math.quadrature import legendre

NODES, REACH = 48, 9.0
"""Of each panel; standard deviations that the panels span on either side."""


class Cornered(Activation):
    """No closed form: integrals over [-9, 9] standard deviations, a panel for each piece."""

    corners: ClassVar[tuple[float, ...]] = (0.0,)
    """Where the pieces meet."""

    @property
    def turns(self) -> tuple[float, ...]:
        return self.corners

    def _panels(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f, z and weights at the nodes, each `(*mu.shape, nodes)`."""
        t, w = legendre(NODES, mu.dtype, mu.device)
        reach = REACH * sigma
        edges = [torch.clamp(c - mu, -reach, reach) / sigma for c in self.corners]
        edges = [torch.full_like(mu, -REACH), *edges, torch.full_like(mu, REACH)]
        z, weights = [], []
        for a, b in pairwise(edges):
            half = 0.5 * (b - a)[..., None]
            z.append(0.5 * (a + b)[..., None] + half * t)
            weights.append(half * w * pdf(z[-1]))
        at, weight = torch.cat(z, -1), torch.cat(weights, -1)
        return self(mu[..., None] + sigma[..., None] * at), at, weight

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        f, _, w = self._panels(mu, sigma)
        mean = (f * w).sum(-1)
        return mean, ((f - mean[..., None]).square() * w).sum(-1)

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        f, z, w = self._panels(mu, sigma)
        return torch.stack([(f * w * h).sum(-1) for h in hermite_normalised(z, order)[1:]])

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        f, z, w = self._panels(mu, sigma)
        basis = torch.stack(hermite_normalised(z, order)) * w
        g, row, rows = f - centre[..., None], torch.ones_like(f), []
        for _ in range(degree + 1):
            rows.append((basis * row).sum(-1))
            row = row * g
        return torch.stack(rows)


@dataclass(frozen=True)
class ELU(Cornered):
    """x above 0, alpha (exp(x) - 1) below."""

    alpha: float = 1.0
    name: ClassVar[str] = "elu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.ELU

    @property
    def rises(self) -> bool:
        return self.alpha >= 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, 1.0, self.alpha * torch.exp(x.clamp(max=0.0)))


@dataclass(frozen=True)
class CELU(Cornered):
    """x above 0, alpha (exp(x / alpha) - 1) below."""

    alpha: float = 1.0
    name: ClassVar[str] = "celu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.CELU

    def __post_init__(self) -> None:
        if not self.alpha > 0.0:
            raise BadInput(f"celu needs an alpha above 0, got {self.alpha!r}")

    def __call__(self, x: Tensor) -> Tensor:
        return F.celu(x, self.alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.exp(x.clamp(max=0.0) / self.alpha)


@dataclass(frozen=True)
class SELU(Cornered):
    """1.0507 times ELU of alpha = 1.6733 (Klambauer et al. 2017, arXiv 1706.02515)."""

    name: ClassVar[str] = "selu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.SELU

    def __call__(self, x: Tensor) -> Tensor:
        return F.selu(x)

    def derivative(self, x: Tensor) -> Tensor:
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        return scale * torch.where(x > 0, 1.0, alpha * torch.exp(x.clamp(max=0.0)))


@dataclass(frozen=True)
class Hardswish(Cornered):
    """0 below -3, x above 3, x (x + 3) / 6 between."""

    name: ClassVar[str] = "hardswish"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Hardswish
    corners: ClassVar[tuple[float, ...]] = (-3.0, 3.0)

    @property
    def rises(self) -> bool:
        return False

    def __call__(self, x: Tensor) -> Tensor:
        return F.hardswish(x)

    def derivative(self, x: Tensor) -> Tensor:
        inside = (2.0 * x + 3.0) / 6.0
        return torch.where(x <= -3.0, 0.0, torch.where(x >= 3.0, 1.0, inside))


@dataclass(frozen=True)
class Softsign(Cornered):
    """x / (1 + |x|)."""

    name: ClassVar[str] = "softsign"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Softsign

    @property
    def reach(self) -> tuple[float, float]:
        return -1.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.softsign(x)

    def derivative(self, x: Tensor) -> Tensor:
        return (1.0 + x.abs()) ** -2
