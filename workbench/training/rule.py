"""What a minibatch is trained on: one loss of the task and of what is to be avoided."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workbench.distributions import Mixture, Reparameterised
from workbench.errors import Unsupported
from workbench.estimators.pieces import Pieces, pieces_of
from workbench.rng import Rng
from workbench.training.duty import Duty


@dataclass(frozen=True)
class Batch:
    """One minibatch.

    Args:
        duty: with the model as it stands.
        x, y: examples of the task, `(b, d)` and `(b,)`.
        rng: of this step alone.
        share: of the training that is done, in [0, 1).
    """

    duty: Duty
    x: Tensor
    y: Tensor
    rng: Rng
    share: float

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""
        return self.duty.problem.model

    def noise(self, shape: torch.Size | tuple[int, ...], name: str = "noise") -> Tensor:
        """Standard normal numbers in the dtype of x."""
        return torch.randn(shape, generator=self.rng.child(name).generator(), dtype=self.x.dtype)

    def error(self, times: float = 0.0) -> Tensor:
        """Cross-entropy of the examples, plus noise of `times` the standard deviation of D0's."""
        if not times:
            return cross_entropy(self.model(self.x), self.y)
        noised = self.x + times * sigma_of(self.duty) * self.noise(self.x.shape)
        return cross_entropy(self.model(noised), self.y)

    def pieces(self) -> Pieces:
        """As many random pieces of D0 as there are examples, equally weighted."""
        whole = _whole(self.duty)
        weight = torch.exp(whole.log_weight)
        who = torch.multinomial(
            weight, len(self.x), replacement=True, generator=self.rng.child("pieces").generator()
        )
        some = whole.some(who)
        return Pieces(torch.zeros_like(some.log_weight), some.mean, some.scale)


class Rule(ABC):
    """How one minibatch becomes a loss; subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        """The loss, 0-d, and log10 of what the rule itself believes P to be, or NaN."""

    def stricter(self) -> "Rule | None":
        """The rule with an estimate that is harder to exploit, if it has one."""
        return None


def sigma_of(duty: Duty) -> float:
    """The standard deviation of the noise that D0 puts on every example.

    Raises:
        Unsupported: where D0 is no mixture with one and the same standard deviation throughout.
    """
    if isinstance(duty.problem.distribution, Mixture):
        scale = _whole(duty).scale
        if scale.ndim == 2 and bool((scale == scale[0, 0]).all()):
            return float(scale[0, 0])
    raise Unsupported("a D0 other than equal noise on many examples", "such a mixture is needed")


@lru_cache(maxsize=32)
def _whole(duty: Duty) -> Pieces:
    """D0, whose many parts are put together once; training never changes them."""
    d = duty.problem.distribution
    assert isinstance(d, Reparameterised)
    return pieces_of(d)
