"""Scores from the spectrum of the inputs' own covariance, against the trusted one."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.detectors.base import Detector, hidden, whitened
from workbench.math.divisor import divisor
from workbench.problem import Problem


@dataclass(frozen=True)
class QuantumEntropy(Detector):
    """w^T Q w / tr Q, Q = exp(alpha (S - I) / |S - I|), S the covariance of whitened activations.

    Activations of the inputs, unlabelled, are whitened by the trusted ones; directions in which
    they spread more than those weigh more (Dong, Hopkins & Li 2019; Hayase et al. 2021).

    Args:
        alpha: 0 is `Mahalanobis`; to infinity, `Spectral`.
        ridge: of the whitening, share of the mean variance.
    """

    alpha: float = 4.0
    ridge: float = 1e-3
    name: ClassVar[str] = "quantum_entropy"
    pooled: ClassVar[bool] = True

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        white, values, vectors = _spectrum(problem, trusted, inputs, self.ridge)
        excess = (values - 1.0) / divisor((values - 1.0).abs().max())
        weight = torch.softmax(self.alpha * excess, 0)
        return ((white @ vectors).square() * weight).sum(1)


@dataclass(frozen=True)
class Spectral(Detector):
    """The squared projection of whitened activations on their top singular vector.

    (Spectral signatures, Tran, Li & Madry 2018.)

    Args:
        ridge: of the whitening, share of the mean variance.
    """

    ridge: float = 1e-3
    name: ClassVar[str] = "svd"
    pooled: ClassVar[bool] = True

    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        white, _, vectors = _spectrum(problem, trusted, inputs, self.ridge)
        return (white @ vectors[:, -1]).square()


def _spectrum(
    problem: Problem, trusted: Tensor, inputs: Tensor, ridge: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Whitened activations of the inputs, eigenvalues (rising) and -vectors of their covariance."""
    known, seen = (torch.cat(hidden(problem, x), 1) for x in (trusted, inputs))
    _, white = whitened(known, seen, ridge)
    values, vectors = torch.linalg.eigh(torch.cov(white.T))
    return white, values, vectors
