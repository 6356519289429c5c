"""The problem under another D, posed so that estimators see the most of it."""

from dataclasses import replace

import torch

from workbench.distributions import ByContext, Distribution, Gaussian, Mixture
from workbench.distributions.transformed import Transformed
from workbench.models.residual import Residual, as_network
from workbench.problem import Problem
from workbench.specs import Polyhedral


def pose(problem: Problem, d: Distribution) -> Problem:
    """(D, M, C); for D made by a residual generator G, (N(0, I), M∘G, C), the same P.

    A spec that looks at x itself keeps the first form. A law by context whose parts are normal is
    posed as their mixture.
    """
    if isinstance(d, ByContext):
        return problem.vary(distribution=_mixture(d) or d)
    if not isinstance(d, Transformed) or not isinstance(d.network, Residual):
        return problem.vary(distribution=d)
    if not isinstance(problem.spec, Polyhedral):
        return problem.vary(distribution=d)
    base = d.base
    scale = torch.diag(base.scale) if base.diagonal else base.scale
    model = as_network(d.network, d.tensors, base.mean, scale, problem.model)
    zero = torch.zeros_like(base.mean)
    return replace(
        problem, distribution=Gaussian(zero, torch.ones_like(zero)), model=model, truth=None
    )


def _mixture(d: ByContext) -> Mixture | None:
    """The law of x alone, where its parts are normal or mixtures of normal laws."""
    weights, parts = [], []
    for log_w, part in zip(d.log_weights, d.parts, strict=True):
        if isinstance(part, Gaussian):
            weights.append(torch.exp(log_w)[None])
            parts.append(part)
        elif isinstance(part, Mixture):
            weights.append(torch.exp(log_w + part.log_weights))
            parts.extend(part.components)
        else:
            return None
    return Mixture(torch.cat(weights), tuple(parts))
