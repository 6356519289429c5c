"""What a detector of anomalies is tried on: a behaviour, trusted inputs, and labelled others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import BadInput
from workbench.problem import Problem


@dataclass(frozen=True, eq=False)
class Testbed:
    """A behaviour C of M and inputs of which is known why it occurs on them.

    Args:
        name: what tables call it.
        about: one or two sentences for a reader.
        problem: the trusted D, M, and C: the behaviour.
        trusted: `(n, d)` draws of D on which nothing was planted or tampered with.
        normal: `(m, d)`: fresh inputs on which C occurs for its usual reason.
        unusual: likewise, but odd in a way that has nothing to do with C; None where there are
            none.
        anomalous: C occurs on them for another reason.
        matched: whether D given any of these three has the mean and covariance of D.
    """

    name: str
    about: str
    problem: Problem
    trusted: Tensor
    normal: Tensor
    unusual: Tensor | None
    anomalous: Tensor
    matched: bool

    def __post_init__(self) -> None:
        for what, x in self.kinds().items():
            if x.ndim != 2 or x.shape[1] != self.problem.distribution.dim or len(x) < 2:
                raise BadInput(
                    f"the {what} inputs of a testbed must be two or more of length "
                    f"{self.problem.distribution.dim}, got {tuple(x.shape)}"
                )

    def kinds(self) -> dict[str, Tensor]:
        """{"trusted", "normal", "unusual" (if any), "anomalous": inputs}."""
        found = {"trusted": self.trusted, "normal": self.normal}
        if self.unusual is not None:
            found["unusual"] = self.unusual
        return found | {"anomalous": self.anomalous}


@torch.no_grad()
def occurring(problem: Problem, x: Tensor, n: int) -> Tensor:
    """The first n of the inputs x on which C occurs."""
    return x[problem.margin(x) > 0][:n]
