"""The D of an adversary as the proposal of importance sampling under D0."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Distribution, Gaussian, Mixture, Sampleable
from workbench.errors import Unsupported
from workbench.estimators import Estimate, Estimator, Importance, Needs
from workbench.estimators.importance import Weighing, around
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_DRAWS, _FEWEST = 8192, 32


@dataclass(frozen=True)
class Proposed(Estimator):
    """`importance` whose mixture starts from D instead of from a search of its own.

    In the noise of D0, D is a Gaussian or a mixture of them as it stands; of another D the failing
    draws are taken, by their mean and covariance. The mixture keeps its share of plain draws and
    is refitted by pilot rounds as ever, so that P-hat is unbiased whatever D is.

    Args:
        distribution: D.
    """

    distribution: Distribution
    name: ClassVar[str] = "importance"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Gaussian,))

    def init(self, problem: Problem, rng: Rng) -> Weighing:
        state = Importance().init(problem, rng)
        d0, d, spent = problem.distribution, self.distribution, 0
        assert isinstance(d0, Gaussian)
        if isinstance(d, Gaussian):
            d = Mixture(torch.ones(1, dtype=d.dtype), (d,))
        if isinstance(d, Mixture):
            each = [_in_noise(c, d0) for c in d.components]
            share = torch.exp(d.log_weights).detach()
        else:
            each, spent = [_of_failures(d, d0, problem, rng)], _DRAWS
            share = torch.ones(1, dtype=d0.dtype)
        means, covs = (torch.stack(found) for found in zip(*each, strict=True))
        state = around(state, means.detach(), covs.detach(), share)
        return replace(state, forwards=state.forwards + spent)

    def step(self, problem: Problem, state: Any) -> Weighing:
        return Importance().step(problem, state)

    def read(self, state: Any) -> Estimate:
        return Importance().read(state)


def _in_noise(d: Gaussian, d0: Gaussian) -> tuple[Tensor, Tensor]:
    """Mean and covariance of D in the noise of D0."""
    scale, scale0 = (torch.diag(g.scale) if g.diagonal else g.scale for g in (d, d0))
    root = torch.linalg.solve_triangular(scale0, scale, upper=False)
    return d0.pull(d.mean[None])[0], root @ root.T


@torch.no_grad()
def _of_failures(
    d: Distribution, d0: Gaussian, problem: Problem, rng: Rng
) -> tuple[Tensor, Tensor]:
    if not isinstance(d, Sampleable):
        raise Unsupported(f"a {d.name} as a proposal", "a distribution with samples is needed")
    x = d.sample(_DRAWS, rng.child("proposal").generator())
    z = d0.pull(x[problem.margin(x) > 0])
    if len(z) < _FEWEST:
        raise Unsupported(
            f"a {d.name} of whose {_DRAWS:,} draws {len(z)} fail as a proposal",
            f"{_FEWEST} that fail are needed",
        )
    gap = z - z.mean(0)
    near = len(z) / (len(z) + 2.0 * z.shape[1])
    eye = torch.eye(z.shape[1], dtype=z.dtype)
    return z.mean(0), near * (gap.T @ gap) / len(z) + (1.0 - near) * eye
