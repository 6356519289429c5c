"""What every detector of anomalies is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from workbench.anomaly.inner import hidden_layers
from workbench.errors import Unsupported
from workbench.graph import activations_of
from workbench.problem import Problem


class Detector(ABC):
    """Frozen settings; scores inputs, the higher the more anomalous."""

    name: ClassVar[str]
    pooled: ClassVar[bool] = False
    """Whether the score of an input depends on the other inputs that are judged with it."""

    @abstractmethod
    def scores(self, problem: Problem, trusted: Tensor, inputs: Tensor) -> Tensor:
        """`(batch,)`.

        Args:
            problem: the behaviour C of M under the trusted D.
            trusted: `(n, d)` draws of D.
            inputs: `(batch, d)`, all that are to be judged, unlabelled.
        """


def layers_of(problem: Problem) -> list[int]:
    """Numbers of the nodes of M whose values are its hidden activations.

    Raises:
        Unsupported: where it has none, as a linear model.
    """
    found = hidden_layers(problem.graph)
    if not found:
        raise Unsupported(
            "a look at the hidden activations of this model",
            "an activation that all later values go through is needed",
            ["unexplained", "unlikely", "output"],
        )
    return found


@torch.no_grad()
def hidden(problem: Problem, x: Tensor) -> list[Tensor]:
    """Values `(batch, n)` behind every activation of M, layer by layer; errors as `layers_of`."""
    values = activations_of(problem.graph, x)
    return [values[i] for i in layers_of(problem)]


def standardised(trusted: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Both in trusted standard deviations around the trusted mean; what never varies is left out
    where it does not vary in the inputs either, else scaled by the mean deviation."""
    mean, sd = trusted.mean(0), trusted.std(0)
    scale = torch.where(sd > 1e-9 * sd.max(), sd, sd.mean())
    return (trusted - mean) / scale, (inputs - mean) / scale


def whitened(trusted: Tensor, inputs: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Both in coordinates in which the trusted covariance, with a ridge, is I.

    Args:
        ridge: as a share of the mean variance, added to every variance.
    """
    mean = trusted.mean(0)
    cov = torch.cov(trusted.T)
    cov = cov + ridge * cov.diagonal().mean() * torch.eye(len(cov), dtype=cov.dtype)
    root = torch.linalg.cholesky(cov)

    def white(x: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(root, (x - mean).T, upper=False).T

    return white(trusted), white(inputs)
