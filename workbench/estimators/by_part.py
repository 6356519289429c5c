"""A problem on each part of D, where D is a mixture or differs by context."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.distributions import ByContext, Distribution, Mixture
from workbench.problem import Problem


def pieces_of(problem: Problem) -> list[tuple[Tensor, Problem]]:
    """The problem on every part of D, with log weights, where it has parts; else itself."""
    return [piece_of(problem, k) for k in range(len(_parts(problem)))]


def piece_of(problem: Problem, k: int) -> tuple[Tensor, Problem]:
    """Number k of these."""
    d, part = problem.distribution, _parts(problem)[k]
    if isinstance(d, Mixture | ByContext):
        return d.log_weights[k], problem.vary(distribution=part)
    return torch.zeros((), dtype=d.dtype), problem


def _parts(problem: Problem) -> Sequence[Distribution]:
    d = problem.distribution
    return d.components if isinstance(d, Mixture) else d.parts if isinstance(d, ByContext) else (d,)
