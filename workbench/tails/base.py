"""Tails read a probability from the law of the margins."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from workbench.math.law import Law


class Tail(ABC):
    """How a law of the margins becomes log P."""

    name: ClassVar[str]

    @abstractmethod
    def index(self, law: Law) -> Tensor:
        """Reliability indices beta `(*B, r)`: P(s_i > 0) = Phi(beta_i). +-inf where certain."""

    def doubt(self, law: Law) -> str:
        """Why this tail should not be trusted on this law, in one sentence; else empty."""
        return ""
