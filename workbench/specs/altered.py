"""The complement and the stricter event of any spec, by its margin alone."""

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from workbench.specs.base import Spec


@dataclass(frozen=True, eq=False)
class Altered(Spec):
    """The event sign * margin of another spec > tau.

    Args:
        stated: the spec as it was given.
        sign: 1, or -1 for its complement.
        tau: how far beyond 0, in units of the margin.
    """

    stated: Spec
    sign: int = 1
    tau: float = 0.0
    name: ClassVar[str] = "altered"

    def __post_init__(self) -> None:
        other = self.stated.name if self.sign > 0 else f"not {self.stated.name}"
        object.__setattr__(self, "name", other + (f" by {self.tau:g}" if self.tau else ""))

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return self.sign * self.stated.margin(x, y) - self.tau

    def check(self, outputs: int) -> None:
        self.stated.check(outputs)

    def shift(self, tau: float) -> Spec:
        return replace(self, tau=self.tau + tau)._plain()

    def __invert__(self) -> Spec:
        return replace(self, sign=-self.sign, tau=-self.tau)._plain()

    def _plain(self) -> Spec:
        """The stated spec itself where nothing is altered: ~~C is C."""
        return self.stated if self.sign > 0 and self.tau == 0.0 else self
