"""The gradient of log P from token sequences whose margins are known."""

import math
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.estimators.token_walk import promise
from workbench.estimators.weighed import Weighed
from workbench.math.gaussian import log_cdf
from workbench.math.logspace import log_sum
from workbench.math.simplex import log_prob
from workbench.problem import Problem

_NEAR_M = 512  # sequences that the gradient in M follows
_PASSES = 2  # forward passes that one of them counts as
_BLUR = 0.3  # tau over the mean margin of failures
_NEAR = 16.0

S = TypeVar("S", bound=Weighed)


def cost(problem: Problem) -> int:
    """Forward passes of `in_model`; 0 where M has nothing to learn."""
    learns = any(p.requires_grad for p in problem.model.parameters())
    return _NEAR_M * _PASSES if learns else 0


def _weights(state: Weighed) -> Tensor:
    """Log of what every sequence seen adds to the answer, up to a constant."""
    log_w = state.log_weights()
    if bool((log_w > -math.inf).any()):
        return log_w
    return promise(state.log_p, state.s, state.spread / _NEAR)


def in_distribution(problem: Problem, state: S) -> S:
    """The state with the gradient in D's log probabilities: the weighed mean of the scores
    sum_i d log D(x_i), exact for what the search found and unbiased for what was drawn."""
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    log_probs = d.log_probs()
    if not log_probs.requires_grad or not len(state.s):
        return state
    log_w = _weights(state)
    carries = torch.nonzero(log_w > -math.inf).squeeze(1)
    share = torch.softmax(log_w[carries], 0)
    score = (share * log_prob(log_probs.double(), state.x[carries])).sum()
    return replace(state, drift=score - score.detach())


def in_model(problem: Problem, state: S) -> S:
    """The state with the gradient in M: of log sum D(x) Phi(s(x) / tau) over the 512 sequences
    that weigh most in it, tau 0.3 times the mean margin of failures."""
    log_w = _weights(state)
    fails = state.s > 0
    state = replace(state, forwards=state.forwards + state.reserve)
    if not len(state.s) or not bool(fails.any()):
        return state
    share = torch.softmax(log_w[fails], 0)
    tau = _BLUR * float((share * state.s[fails]).sum())
    log_p = torch.where(fails, log_w, state.log_p)
    value = log_p + log_cdf(state.s / tau)
    chosen = torch.argsort(value, descending=True)[:_NEAR_M]
    with torch.enable_grad():
        s = problem.margin(state.x[chosen]).double()
        blurred = log_sum(log_p[chosen] + log_cdf(s / tau))
    return replace(state, drift=state.drift + blurred - blurred.detach())
