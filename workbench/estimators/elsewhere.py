"""Whether failures elsewhere contradict an answer: climbs from all sides, and a few weighed draws.

Climbs of every clause's margin, on the sphere where a half-space of a fiftieth of P begins (see
`lookout`), end in parts of C that particles may never have reached. Draws from the Gaussians
N(c, I) around where they enter C, weighed by phi / q with q the mixture of them, have a mean of P
at most, whatever C is: they come to k P or more in one case of k at most (Markov), however curved C
is there. An answer that they exceed twentyfold is too low.
"""

import math

import torch

from workbench.distributions import Reparameterised
from workbench.errors import Unsupported
from workbench.estimators import lookout
from workbench.math.logspace import LN10, log_sum
from workbench.problem import Problem
from workbench.rng import Rng

_PAIRS, _CENTRES, _DRAWS = 6, 4, 48
_EXCEEDED = math.log(20.0)
COST = 2 * _PAIRS * lookout.CLIMB + _CENTRES * _DRAWS
"""Forward passes that a look costs at most."""


@torch.no_grad()
def log_mean(problem: Problem, log_p: float, rng: Rng) -> tuple[float, int]:
    """log of the mean of the weighed draws, and the forward passes that it took.

    -inf where nothing is met, for want of a gradient for one, or where P is above a twentieth.

    Args:
        log_p: the answer that is judged.
    """
    d = problem.distribution
    if not isinstance(d, Reparameterised) or not -math.inf < log_p < -_EXCEEDED:
        return -math.inf, 0
    radius = lookout.radius_of(log_p)
    try:
        u, t, spent = lookout.met(problem, _PAIRS, radius, 0, by_clause=True)
    except Unsupported:
        return -math.inf, 2 * 2 * _PAIRS
    centres = lookout.apart(t[:, None] * u)[:_CENTRES]
    if not len(centres):
        return -math.inf, spent
    z = centres.repeat(_DRAWS, 1)
    z = z + d.noise(len(z), rng.child("elsewhere").generator())
    log_q = -0.5 * (z[:, None] - centres).square().sum(-1)
    log_w = math.log(len(centres)) - 0.5 * z.square().sum(1) - torch.logsumexp(log_q, 1)
    log_w = torch.where(problem.margin_of_noise(z) > 0, log_w, -math.inf)
    return float(log_sum(log_w)) - math.log(len(z)), spent + len(z)


def doubt(log_p: float, log_found: float) -> str:
    """What is wrong with an answer beside such a mean, in one sentence; else empty."""
    if not log_found > log_p + _EXCEEDED:
        return ""
    return (
        "climbs from all sides of D met failures that no particle reached: a few draws around them "
        f"make P about 10^{log_found / LN10:.2g}"
    )
