"""What a family of adversaries is: settings, and a Module of parameters that yields D."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.distributions import Distribution, Gaussian, Reparameterised
from workbench.errors import Unsupported
from workbench.math.swapped import called_with
from workbench.rng import Rng
from workbench.settings import Settings


class Parameters(nn.Module, ABC):
    """Trainable parameters of D; called without arguments it gives D as a frozen value.

    As they are made they stand at the reference D0 (or as near to it as the family comes), scaled
    so that near D0 the relative entropy is about |theta - theta0|^2 / 2: steps of one length mean
    the same nats in every family.
    """

    @abstractmethod
    def forward(self) -> Distribution:
        """D, differentiable in the parameters."""


@dataclass(frozen=True)
class Family(Settings, ABC):
    """A way to move D away from D0; subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]
    natural: ClassVar[bool] = True
    """Whether the parameters have the scale that `Parameters` speaks of, so that "natural" steps
    suit them."""
    spreads: ClassVar[bool] = False
    """Whether its parts start at the nearest failures instead of at D0."""
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @property
    def member(self) -> "Family":
        """The family whose parameters are searched: itself, or that of its members."""
        return self

    @abstractmethod
    def serves(self, reference: Distribution) -> bool:
        """Whether the family can start from this D0."""

    @abstractmethod
    def needed(self) -> str:
        """What D0 has to be, in a clause, for those that it does not serve."""

    @abstractmethod
    def module(self, reference: Distribution, rng: Rng, points: Tensor) -> Parameters:
        """Fresh parameters around D0.

        Args:
            rng: of random starts, where the family has them.
            points: `(k, noise_dim)` in the base noise of D0: where failures are nearest, for
                families that start different parts at different failures. k may be 0.
        """

    def check(self, reference: Distribution) -> None:
        """Raises `Unsupported` unless the family can start from this D0."""
        if not self.serves(reference):
            from workbench.adversaries.families import ALL

            others = [cls.name for cls in ALL if cls().serves(reference)]
            raise Unsupported(
                f"the family {self.name!r} around a {reference.name} D0",
                f"{self.needed()} is needed", others,
            )  # fmt: skip


@dataclass(frozen=True)
class AroundGaussian(Family):
    """One that starts from a Gaussian D0."""

    def serves(self, reference: Distribution) -> bool:
        return isinstance(reference, Gaussian)

    def needed(self) -> str:
        return "a gaussian D0"


def no_points(reference: Distribution) -> Tensor:
    """`(0, noise_dim)`: no failures known, for `Family.module`."""
    wide = reference.noise_dim if isinstance(reference, Reparameterised) else reference.dim
    return torch.zeros(0, wide, dtype=reference.dtype)


def flat(module: nn.Module) -> Tensor:
    """All parameters as one vector `(p,)`, detached."""
    return join(module.parameters())


def join(tensors: Iterable[Tensor]) -> Tensor:
    """Tensors end to end in one vector, detached."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def at(module: Parameters, theta: Tensor) -> Distribution:
    """D at the parameters theta `(p,)`, as `flat` orders them; carries the graph of theta."""
    found, start = {}, 0
    for name, p in module.named_parameters():
        found[name] = theta[start : start + p.numel()].reshape(p.shape)
        start += p.numel()
    return called_with(module, found, ())
