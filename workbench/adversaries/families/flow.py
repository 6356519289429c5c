"""Normalising flows in the noise of D0, by zuko."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.adversaries.families.base import Family, Parameters
from workbench.distributions import Distribution, Gaussian
from workbench.distributions.transformed import Transformed
from workbench.errors import BadInput
from workbench.estimators.base import check_positive
from workbench.math.swapped import own_weights
from workbench.rng import Rng

_MAKES = ("spline", "affine")


@dataclass(frozen=True)
class Flow(Family):
    """x = D0's mean + L T(z), T a stack of couplings and a shift; the identity at the start.

    "spline" couples by monotone rational-quadratic splines (Durkan et al. 2019), which are the
    identity outside [-5, 5]; "affine" by RealNVP (Dinh et al. 2017). KL is estimated from draws.

    Args:
        kind: of the couplings.
        transforms: how many.
        hidden: width of the networks that drive them.
        bins: of a spline.
    """

    kind: str = "affine"
    transforms: int = 2
    hidden: int = 32
    bins: int = 6
    name: ClassVar[str] = "flow"
    natural: ClassVar[bool] = False
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"kind": _MAKES}

    def __post_init__(self) -> None:
        if self.kind not in _MAKES:
            raise BadInput(f"unknown flow {self.kind!r}: use one of {', '.join(_MAKES)}")
        check_positive(self.name, transforms=self.transforms, hidden=self.hidden, bins=self.bins)

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, Gaussian) and reference.dim > 1

    def needed(self) -> str:
        return "a gaussian D0 in at least two dimensions"

    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        assert isinstance(reference, Gaussian)
        return _Flow(reference, Couplings(self, reference.dim, reference.dtype, rng))


class Couplings(nn.Module):
    """zuko's couplings and a shift, as `Transformed` asks for them."""

    def __init__(self, settings: Flow, d: int, dtype: torch.dtype, rng: Rng):
        super().__init__()
        import zuko  # here, for the sake of those who import the workbench for other things

        widths = (settings.hidden,)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(int(rng.child("flow").generator().initial_seed() % 2**63))
            if settings.kind == "affine":
                flow = zuko.flows.RealNVP(d, transforms=settings.transforms, hidden_features=widths)
            else:
                flow = zuko.flows.NSF(
                    d, bins=settings.bins, passes=2, transforms=settings.transforms,
                    hidden_features=widths,
                )  # fmt: skip
        self.flow = flow.to(torch.get_default_device(), dtype)
        for layer in _last_layers(self.flow, (nn.Linear, zuko.nn.Linear)):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.shift = nn.Parameter(torch.zeros(d, dtype=dtype))

    def forward(self, z: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        transform = self.flow().transform  # from data to noise
        if inverse:
            z, log_det = transform.call_and_ladj(z - self.shift)
            return z, -log_det
        e, log_det = transform.inv.call_and_ladj(z)
        return e + self.shift, log_det


def _last_layers(module: nn.Module, linear: tuple[type, ...]) -> list[Any]:
    """The last linear layer of every network that drives a coupling."""
    nets = [m for m in module.modules() if isinstance(m, nn.Sequential)]
    layers = [[m for m in net if isinstance(m, linear)] for net in nets]
    return [found[-1] for found in layers if found]


class _Flow(Parameters):
    def __init__(self, reference: Gaussian, network: Couplings):
        super().__init__()
        self.reference, self.network = reference, network

    def forward(self) -> Transformed:
        return Transformed(self.reference, self.network, own_weights(self.network))
