"""Propagation conditioned on the radius, for networks that are homogeneous of degree 1.

Where M(a x) = a M(x) for a > 0 and D = N(0, S), x = r v with r the radius of the base noise (a chi
variable of d degrees of freedom) independent of the direction v, so that a . y = r a . M(v): one
propagation gives the law of a . M(v), by E[r] and E[r^2] = d, and r is integrated by nodes.
"""

import math

import torch
from torch import Tensor

from workbench.distributions import Gaussian
from workbench.errors import Unsupported
from workbench.estimators.slicing import log_clauses
from workbench.graph.rules import Affine, Pointwise
from workbench.math.activations import ReLU
from workbench.math.law import Law
from workbench.math.logspace import log_sum
from workbench.problem import Problem
from workbench.propagation import Covariance
from workbench.specs import Polyhedral
from workbench.tails import Gaussian as GaussianTail

_NODES, _REACH = 400, 16.0


def log_p(problem: Problem) -> tuple[Tensor, float]:
    """log P, 0-d with its graph, and the operations it took; rivals are added.

    Raises:
        Unsupported: where the margin does not scale with the radius.
    """
    d, c = problem.distribution, problem.spec
    _require_homogeneous(problem)
    assert isinstance(d, Gaussian) and isinstance(c, Polyhedral)
    event = c.halfspaces(problem.outputs, d.mean)
    (piece,) = d.pieces()
    law, flops = Covariance().law(problem.graph, piece, event.a, event.b)
    # What does not scale: the last bias and the thresholds.
    still = (problem.answers(d.mean.detach()[None]) @ event.a.T + event.b)[0]
    n = d.dim
    usual = math.sqrt(2.0) * math.exp(math.lgamma(0.5 * (n + 1)) - math.lgamma(0.5 * n))
    mean = (law.mean - still) / usual
    outer = (law.mean - still)[:, None] * (law.mean - still)
    cov = (law.cov + outer) / n - mean[:, None] * mean
    r = torch.linspace(max(0.0, usual - _REACH), usual + _REACH, _NODES + 1, dtype=d.dtype)[1:]
    density = (n - 1) * torch.log(r) - 0.5 * r * r
    density = density - (0.5 * n - 1) * math.log(2.0) - math.lgamma(0.5 * n)
    spheres = Law(r[:, None] * mean + still, r[:, None, None].square() * cov)
    log_u = log_clauses(GaussianTail().index(spheres), spheres.corr, event.clauses)
    terms = density + log_sum(log_u, -1) + math.log(float(r[1] - r[0]))
    return torch.clamp(log_sum(terms), max=0.0), flops


def _require_homogeneous(problem: Problem) -> None:
    d = problem.distribution
    if not isinstance(d, Gaussian):
        raise Unsupported(f"the radius of {d.name!r}", "a gaussian is needed")
    if bool(d.mean.any()):
        raise Unsupported("the radius of a gaussian that is not centred", "mean 0 is needed")
    nodes = problem.graph.nodes[1:]
    for node, rule in zip(nodes, problem.graph.rules(d.dim), strict=True):
        match rule:
            case Affine() if rule.offset is None or not bool(rule.offset.any()):
                continue
            case Affine() if node is nodes[-1]:
                continue
            case Pointwise() if isinstance(rule.row, ReLU):
                continue
            case _:
                raise Unsupported(
                    f"the radius through {node.name!r}",
                    "a network of ReLUs without biases but the last is needed",
                )
