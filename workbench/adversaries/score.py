"""The gradient of log P_D[C] from samples, by the score function."""

import math

import torch
from torch import Tensor

from workbench.distributions import Density, Distribution, Reparameterised
from workbench.errors import Unsupported
from workbench.estimators import Estimate, Estimator
from workbench.estimators.witness import Witness
from workbench.iteration import Budget, run
from workbench.problem import Problem
from workbench.rng import Rng


def log_p_and_score(
    posed: Problem, d: Distribution, sampler: Estimator, theta: Tensor, budget: Budget, rng: Rng
) -> tuple[Estimate, Tensor]:
    """log P and d log P / d theta = E_D[d log D(x) / d theta | C] (Williams 1992).

    The expectation is over the failures that a rare-event sampler shows, with their weights: with
    plain draws and reward 1_C there would be none to learn from.

    Args:
        posed: the problem under D.
        d: D, with the graph of theta.
        sampler: a `Witness`: `importance` or `subset`.
        theta: `(p,)`, a leaf.
        budget: of the sampler.

    Raises:
        Unsupported: where D has no density, or no failure is seen.
    """
    if not isinstance(d, Density) or not isinstance(d, Reparameterised):
        raise Unsupported(f"the score of a {d.name}", "a distribution with a density is needed")
    assert isinstance(sampler, Witness)
    with torch.no_grad():
        state, seconds = run(sampler, posed, sampler.init(posed, rng), budget)
        estimate = sampler.report(posed, state, seconds)
        seen = sampler.failures(posed, state) if math.isfinite(estimate.log10_p) else None
        if seen is None or not len(seen.noise):
            raise Unsupported("the score function without a failure", "a sampler that sees one "
                              "is needed", ["conditioned"])  # fmt: skip
        x, weight = d.push(seen.noise).detach(), torch.softmax(seen.log_w, 0)
    with torch.enable_grad():
        (gain,) = torch.autograd.grad((weight * d.log_prob(x)).sum(), theta)
    return estimate, gain
