"""Estimators that can show the failures behind their answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workbench.problem import Problem


@dataclass(frozen=True, eq=False)
class Failures:
    """Weighted draws of noise given C: what a sampler believes of D where M fails.

    Attributes:
        noise: `(n, noise_dim)`, every row a failure; n may be 0.
        log_w: `(n,)` log weights, up to a constant.
        forwards: passes of M that it took to show them.
    """

    noise: Tensor
    log_w: Tensor
    forwards: int = 0


class Witness(ABC):
    """The capability of an estimator to show failures."""

    @abstractmethod
    def failures(self, problem: Problem, state: Any) -> Failures:
        """Failures out of the state of a run, or drawn anew as that run would draw them."""
