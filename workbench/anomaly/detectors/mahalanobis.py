"""Distances from trusted activations."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector, hidden, whitened
from workbench.errors import BadInput
from workbench.problem import Problem

SEEN = ("hidden", "inputs", "last")


@dataclass(frozen=True)
class Mahalanobis(Detector):
    """(h - m)^T (S + ridge)^-1 (h - m), m and S of trusted activations (Lee et al. 2018).

    Args:
        sees: all "hidden" activations at once, the "inputs", or the "last" hidden layer alone.
        ridge: share of the mean variance that is added to every variance.

    Raises:
        BadInput: for an unknown place.
    """

    sees: str = "hidden"
    ridge: float = 1e-3
    name: ClassVar[str] = "mahalanobis"

    def __post_init__(self) -> None:
        if self.sees not in SEEN:
            raise BadInput(f"mahalanobis sees one of {', '.join(SEEN)}, got {self.sees!r}")

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        _, white = whitened(self._seen(problem, trusted), self._seen(problem, inputs), self.ridge)
        return white.square().sum(1)

    def _seen(self, problem: Problem, x: Tensor) -> Tensor:
        match self.sees:
            case "inputs":
                return x
            case "last":
                return hidden(problem, x)[-1]
        return torch.cat(hidden(problem, x), 1)
