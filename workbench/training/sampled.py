"""The gradient of log P in the parameters of M from samples: what a training without propagation
has to follow.

P itself has no gradient that draws could show: a draw fails or not. Two ways around that blur the
margin s by tau: P_tau = E[Phi(s / tau)] is the probability that s + tau eta > 0 for eta ~ N(0, 1).

- "importance", through the weights of importance samples x_i ~ q with w_i = D(x_i) / q(x_i),

      grad log P_tau = sum w_i phi(s_i / tau) grad s_i / tau / sum w_i Phi(s_i / tau);

- "score", the score function (Williams 1992) of the blurred margin, whose law given x is
  N(s(x), tau^2): grad log P_tau = E[(eta / tau) grad s | s + tau eta > 0].

Both tend to the gradient of log P as tau becomes small beside the margin of failures; then what
they are averages of becomes rare, and their noise grows like tau^(-1/2).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported
from workbench.estimators import Estimate, Estimator
from workbench.estimators.witness import Failures, Witness
from workbench.iteration import Budget, run
from workbench.math.gaussian import log_cdf
from workbench.objective import gradients
from workbench.problem import Problem
from workbench.rng import Rng

WAYS = ("score", "importance")
BLUR = 0.3
"""tau over the mean margin of failures: P_tau is then some 5% above P where that margin falls off
exponentially, as it does far in a tail, and its gradient the better."""

_BELOW = 4.0  # taus below 0 from which blurred failures come: Phi(-4) = 3e-5
_FEWEST = 10


def log_p_and_sampled_grad(
    problem: Problem,
    sampler: Estimator,
    way: str,
    parameters: Sequence[Tensor],
    budget: Budget,
    rng: Rng,
    blur: float = BLUR,
) -> tuple[Estimate, list[Tensor]]:
    """log P by a sampler, and the gradient of log P_tau in `parameters` from its failures.

    Args:
        problem: (D, M, C).
        sampler: a `Witness`, `importance` as a rule; its mixture draws the failures of the gradient
            anew.
        way: of `WAYS`.
        parameters: leaf tensors that M was built from, with `requires_grad`.
        budget: of the sampler; the gradient takes one batch more.
        blur: tau over the mean margin of failures.

    Returns:
        The estimate (of P, not of P_tau), and one gradient a parameter.

    Raises:
        BadInput: for another way.
        Unsupported: where the sampler shows fewer than 10 failures.
    """
    if way not in WAYS:
        raise BadInput(f"a sampled gradient goes by {' or '.join(WAYS)}, got {way!r}")
    if not isinstance(sampler, Witness):
        raise Unsupported(
            f"failures from {sampler.name!r}", "a sampler that shows them is needed", ["importance"]
        )
    with torch.no_grad():
        state, seconds = run(sampler, problem, sampler.init(problem, rng), budget)
        estimate = sampler.report(problem, state, seconds)
        seen = sampler.failures(problem, state)
        if not math.isfinite(estimate.log10_p) or len(seen.noise) < _FEWEST:
            raise Unsupported(
                f"a sampled gradient from {len(seen.noise)} failures", f"{_FEWEST} are needed"
            )
        weight = torch.softmax(seen.log_w, 0)
        tau = blur * float(weight @ problem.margin_of_noise(seen.noise))
        wider = problem.vary(spec=problem.spec.shift(-_BELOW * tau))
        seen = sampler.failures(wider, state)
    with torch.enable_grad():
        return estimate, gradients(_gain(problem, seen, way, tau, rng.child("blur")), parameters)


def _gain(problem: Problem, seen: Failures, way: str, tau: float, rng: Rng) -> Tensor:
    """What has the gradient of log P_tau; its value means nothing for "score"."""
    s = problem.margin_of_noise(seen.noise)
    if way == "importance":
        return torch.logsumexp(seen.log_w + log_cdf(s / tau), 0)
    eta = torch.randn(len(s), generator=rng.generator(), dtype=s.dtype)
    fails = s.detach() + tau * eta > 0
    weight = torch.softmax(torch.where(fails, seen.log_w, -math.inf), 0)
    return (weight * eta / tau * s).sum()
