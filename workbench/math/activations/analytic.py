"""Activations without corners: their Gaussian integrals by the trapezoidal rule.

It converges geometrically, at a rate set by how near the poles of f lie to the real line: with the
193 nodes used, to rounding for sigma up to 3, to 1e-7 at sigma = 6.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.quadrature import hermite, normal_trapezoid

NODES = 193


class Analytic(Activation):
    """No closed form: a rule on fixed nodes, the same for every neuron."""

    def rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes z and weights, each `(nodes,)`: the trapezoidal rule on [-9, 9]."""
        return normal_trapezoid(NODES, like.dtype, like.device)

    def _values(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, w = self.rule(mu)
        return self(mu[..., None] + sigma[..., None] * z), z, w

    def moments(self, mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        f, _, w = self._values(mu, sigma)
        mean = f @ w
        return mean, (f - mean[..., None]).square() @ w

    def coefficients(self, mu: Tensor, sigma: Tensor, order: int) -> Tensor:
        f, z, w = self._values(mu, sigma)
        basis = torch.stack([h * w for h in hermite_normalised(z, order)[1:]])
        return torch.movedim(f @ basis.T, -1, 0)

    def powers(self, mu: Tensor, sigma: Tensor, centre: Tensor, degree: int, order: int) -> Tensor:
        f, z, w = self._values(mu, sigma)
        g = f - centre[..., None]
        basis = torch.stack([h * w for h in hermite_normalised(z, order)])
        rows = [torch.ones_like(g)]
        for _ in range(degree):
            rows.append(rows[-1] * g)
        return torch.movedim(torch.stack(rows) @ basis.T, -1, 1)


@dataclass(frozen=True)
class Tanh(Analytic):
    """tanh(x)."""

    name: ClassVar[str] = "tanh"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Tanh

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def reach(self) -> tuple[float, float]:
        return -1.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def derivative(self, x: Tensor) -> Tensor:
        return 1.0 - torch.tanh(x).square()


@dataclass(frozen=True)
class Sigmoid(Analytic):
    """1 / (1 + exp(-x))."""

    name: ClassVar[str] = "sigmoid"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Sigmoid

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x) * torch.sigmoid(-x)


@dataclass(frozen=True)
class SiLU(Analytic):
    """x sigmoid(x), also called swish; f'' = 0 where x tanh(x/2) = 2."""

    name: ClassVar[str] = "silu"
    torch_module: ClassVar[type[nn.Module] | None] = nn.SiLU

    @property
    def rises(self) -> bool:
        return False

    @property
    def turns(self) -> tuple[float, ...]:
        return -2.39935728051546767, 2.39935728051546767

    def __call__(self, x: Tensor) -> Tensor:
        return F.silu(x)

    def derivative(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        return s * (1.0 + x * torch.sigmoid(-x))


@dataclass(frozen=True)
class Mish(Analytic):
    """x tanh(log(1 + exp(x)))."""

    name: ClassVar[str] = "mish"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Mish

    @property
    def rises(self) -> bool:
        return False

    @property
    def turns(self) -> tuple[float, ...]:
        return -2.25637639636079312, 1.49057117948542846

    def __call__(self, x: Tensor) -> Tensor:
        return F.mish(x)

    def derivative(self, x: Tensor) -> Tensor:
        t = torch.tanh(F.softplus(x))
        return t + x * (1.0 - t * t) * torch.sigmoid(x)


@dataclass(frozen=True)
class TanhGELU(Analytic):
    """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): GELU(approximate="tanh")."""

    name: ClassVar[str] = "tanh_gelu"

    @property
    def rises(self) -> bool:
        return False

    @property
    def turns(self) -> tuple[float, ...]:
        return -1.41850400879082836, 1.41850400879082836

    def __call__(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh")

    def derivative(self, x: Tensor) -> Tensor:
        r = math.sqrt(2.0 / math.pi)
        t = torch.tanh(r * (x + 0.044715 * x**3))
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * r * (1.0 + 0.134145 * x * x)


@dataclass(frozen=True)
class Softplus(Analytic):
    """log(1 + exp(beta x)) / beta; PyTorch takes x where beta x is above `threshold`."""

    beta: float = 1.0
    threshold: float = 20.0
    name: ClassVar[str] = "softplus"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Softplus

    def __post_init__(self) -> None:
        if not self.beta > 0 or not self.threshold >= 15.0:
            raise BadInput(
                "softplus needs a beta above 0 and a threshold of 15 or more, "
                f"got {self.beta!r} and {self.threshold!r}"
            )

    @property
    def rounding(self) -> float:  # type: ignore[override]
        return math.exp(-self.threshold) / self.beta

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.beta * x)


@dataclass(frozen=True)
class LogSigmoid(Analytic):
    """log(1 / (1 + exp(-x)))."""

    name: ClassVar[str] = "logsigmoid"
    torch_module: ClassVar[type[nn.Module] | None] = nn.LogSigmoid

    @property
    def reach(self) -> tuple[float, float]:
        return -math.inf, 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return F.logsigmoid(x)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.sigmoid(-x)


@dataclass(frozen=True)
class Tanhshrink(Analytic):
    """x - tanh(x)."""

    name: ClassVar[str] = "tanhshrink"
    torch_module: ClassVar[type[nn.Module] | None] = nn.Tanhshrink

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,)

    def __call__(self, x: Tensor) -> Tensor:
        return F.tanhshrink(x)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.tanh(x).square()


@dataclass(frozen=True)
class Square(Analytic):
    """x^2, by a rule that is exact for polynomials."""

    name: ClassVar[str] = "square"

    def rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return hermite(32, like.dtype, like.device)

    @property
    def rises(self) -> bool:
        return False

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return torch.square(x)

    def derivative(self, x: Tensor) -> Tensor:
        return 2.0 * x


@dataclass(frozen=True)
class Power(Analytic):
    """x to a whole power from 3 on, by a rule that is exact for polynomials."""

    exponent: float = 3.0
    name: ClassVar[str] = "pow"

    def __post_init__(self) -> None:
        if self.exponent not in range(3, 9):
            raise BadInput(f"pow needs a whole exponent from 2 to 8, got {self.exponent!r}")

    def rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return hermite(32, like.dtype, like.device)

    @property
    def _odd(self) -> bool:
        return self.exponent % 2 == 1

    @property
    def rises(self) -> bool:
        return self._odd

    @property
    def turns(self) -> tuple[float, ...]:
        return (0.0,) if self._odd else ()

    @property
    def reach(self) -> tuple[float, float]:
        return -math.inf if self._odd else 0.0, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def derivative(self, x: Tensor) -> Tensor:
        return self.exponent * x.pow(self.exponent - 1.0)
