"""Summits with the spread of the failures around them, fitted by gradients of the margin.

Propagation sees a summit's direction and, through its own law, how failures spread; on narrow
networks and on intersections of several events (C and a recogniser) that law is far from theirs.
Here every summit and design point starts a Gaussian that is brought to the law of failures by the
gradients of the margin at a few hundred points (see `tilt`): its mean is the summit, and its
covariance says how lines along it should lie.
"""

import math
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from workbench.errors import Unsupported
from workbench.estimators import joint_points, summits, tilt
from workbench.estimators.design_points import margin_and_gradient
from workbench.estimators.summits import Summits
from workbench.problem import Problem
from workbench.rng import Rng

_FEWEST, _A_DIMENSION = 96, 3  # gradients a Gaussian and round
_STARTS = 8
_APART, _SAME = 0.8, 0.95  # cosine of two directions that are one, before and after the fit
_SHARE = 0.3  # of the budget, for design points


def candidates(problem: Problem, most: int, allowed: float = math.inf) -> Summits:
    """Summits by propagation, and design points in other directions, where they are within budget.

    Of intersections the design points are those of all events together.
    """
    usual = summits.find(problem, most, allowed)
    if not usual.propagated:
        return usual
    left = min(allowed - usual.forwards, _SHARE * allowed)
    theta, clause, height, spent = usual.theta, usual.clause, usual.height, usual.forwards
    try:
        if joint_points.joint(problem):
            points, cost = joint_points.find(problem, most, left)
            also = Summits(points.at, points.clause, -0.5 * points.norm.square(), False, cost)
        else:
            also = summits.by_margin(problem, most, left)
    except Unsupported:
        return usual
    theta, clause = torch.cat([theta, also.theta]), torch.cat([clause, also.clause])
    height = torch.cat([height, also.height])
    kept = _distinct(theta, 2 * most, _APART)
    return Summits(theta[kept], clause[kept], height[kept], True, spent + also.forwards)


def find(problem: Problem, most: int, allowed: float = math.inf) -> Summits:
    """At most `most` fitted summits with their spread, no two in one direction; deterministic.

    The candidates themselves, spread as D, where `allowed` forward passes hold no fit or the margin
    has no gradient.
    """
    begun = candidates(problem, most, allowed)
    spent, d = begun.forwards, begun.theta.shape[1]
    plain = torch.eye(d, dtype=begun.theta.dtype).expand(len(begun.theta), -1, -1)
    kept = list(range(len(begun.theta)))[:_STARTS]
    n = max(_FEWEST, _A_DIMENSION * d)
    # Long Gaussians are split on the way, so that there may be twice as many.
    if not kept or spent + 4 * n * tilt.ROUNDS * len(kept) > allowed:
        return replace(begun, spread=plain)
    fit = tilt.start(begun.theta[kept], begun.clause[kept])
    look = partial(margin_and_gradient, problem)
    generator = Rng(0).child("fitted").generator()
    try:
        for k in range(tilt.ROUNDS):
            fit, cost = tilt.advance(look, fit, k, n, generator)
            spent += cost
    except Unsupported:
        return replace(begun, spread=plain)
    kept = _distinct(fit.means, _STARTS, _SAME)
    theta = fit.means[kept]
    roots = [
        summits.root_across(fit.covs[i], t / t.norm()) for i, t in zip(kept, theta, strict=True)
    ]
    height = -0.5 * theta.square().sum(1)
    return Summits(theta, fit.clause[kept], height, True, spent, torch.stack(roots))


def _distinct(theta: Tensor, most: int, same: float) -> list[int]:
    """Rows in different directions, none that is 0."""
    unit = theta / theta.norm(dim=1, keepdim=True).clamp(min=1e-12)
    kept: list[int] = []
    for i in range(len(unit)):
        if float(theta[i].norm()) > 1e-6 and all(float(unit[i] @ unit[j]) < same for j in kept):
            kept.append(i)
    return kept[:most]
