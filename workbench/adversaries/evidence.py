"""What is known of an adversary where everything can be summed: gain a nat, and its bound."""

import math

import torch

from workbench.adversaries.divergence import relative_entropy
from workbench.distributions import Distribution
from workbench.estimators.transitions import Transitions
from workbench.math.logspace import LN10, log1mexp
from workbench.problem import Problem
from workbench.rng import Rng


def binary_nats(log_p: float, log_q: float) -> float:
    """KL between coins of P(heads) = p and q: what any D with P_D[C] = p spends at least.

    KL(D || D0) >= p log(p / q) + (1 - p) log((1 - p) / (1 - q)), by the data processing inequality
    (Cover & Thomas 2006, section 2.8); an equality for D0 given C.

    >>> round(binary_nats(0.0, -16.0), 3), binary_nats(-16.0, -16.0)
    (16.0, 0.0)
    """
    p = math.exp(log_p)
    heads = p * (log_p - log_q) if p else 0.0
    if p >= 1.0:
        return heads
    rest, rest0 = (
        float(log1mexp(torch.tensor(min(x, -1e-300), dtype=torch.float64))) for x in (log_p, log_q)
    )
    return max(0.0, heads + (1.0 - p) * (rest - rest0))


@torch.no_grad()
def judged(problem: Problem, d: Distribution) -> tuple[float, float]:
    """Exact nats KL(D || D0) and log10 P_D[C] of a D that `transitions` serves."""
    nats = relative_entropy(d, problem.distribution, Rng(0))
    log_p = Transitions()(problem.vary(distribution=d)).log_p
    return float(nats.value), float(log_p) / LN10
