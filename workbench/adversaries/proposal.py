"""The D of an adversary as the proposal of importance sampling under D0."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.distributions import Distribution, Gaussian, Mixture, Sampleable
from workbench.errors import Unsupported
from workbench.estimators import Estimate, Estimator, Importance, Needs
from workbench.estimators.mixing import Weighing, beside
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

_DRAWS, _FEWEST = 8192, 32


@dataclass(frozen=True)
class Proposed(Estimator):
    """`importance` whose mixture has D among its Gaussians.

    In the noise of D0, D is a Gaussian or a mixture of them as it stands; of another D the failing
    draws are taken, by their mean and covariance. D has gone to the failures that its nats could
    reach best, and those may be a part of C: alone it would miss the rest without a sign. So half
    the mass stays with the Gaussians of `importance`'s own search for ways to fail, a share with
    plain draws, and its pilot rounds, scouts and warnings are those of ever: P-hat is unbiased
    whatever D is.

    Args:
        distribution: D.
    """

    distribution: Distribution
    name: ClassVar[str] = "importance"
    kind: ClassVar[Kind] = Kind.UNBIASED
    grad: ClassVar[Grad] = Grad.NONE
    needs: ClassVar[Needs] = Needs((Gaussian,))

    def init(self, problem: Problem, rng: Rng) -> Weighing:
        return Importance().init(problem, rng)

    def step(self, problem: Problem, state: Any) -> Weighing:
        after = Importance().step(problem, state)
        if state.found or not after.found:
            return after
        means, covs, share, spent = _gaussians(self.distribution, problem, state.rng)
        return replace(beside(after, means, covs, share), forwards=after.forwards + spent)

    def read(self, state: Any) -> Estimate:
        return Importance().read(state)


@torch.no_grad()
def _gaussians(d: Distribution, problem: Problem, rng: Rng) -> tuple[Tensor, Tensor, Tensor, int]:
    """Means, covariances and shares of D in the noise of D0; forward passes that it took."""
    d0, spent = problem.distribution, 0
    assert isinstance(d0, Gaussian)
    if isinstance(d, Gaussian):
        d = Mixture(torch.ones(1, dtype=d.dtype), (d,))
    if isinstance(d, Mixture):
        each, share = [_in_noise(c, d0) for c in d.components], torch.exp(d.log_weights)
    else:
        each, spent = [_of_failures(d, d0, problem, rng)], _DRAWS
        share = torch.ones(1, dtype=d0.dtype)
    means, covs = (torch.stack(found) for found in zip(*each, strict=True))
    return means, covs, share, spent


def _in_noise(d: Gaussian, d0: Gaussian) -> tuple[Tensor, Tensor]:
    """Mean and covariance of D in the noise of D0."""
    scale, scale0 = (torch.diag(g.scale) if g.diagonal else g.scale for g in (d, d0))
    root = torch.linalg.solve_triangular(scale0, scale, upper=False)
    return d0.pull(d.mean[None])[0], root @ root.T


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
