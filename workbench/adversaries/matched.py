"""The Gaussian that is D0 given C to second order."""

import math
import time

import torch
from torch import Tensor

from workbench.adversaries.result import Attack, attacked
from workbench.adversaries.search import Found
from workbench.distributions import Gaussian
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Conditioned, Estimator
from workbench.estimators.shown import shown
from workbench.problem import Problem
from workbench.rng import Rng, as_rng

_HALVINGS = 60
_FORWARDS = 50_000


@torch.no_grad()
def matched(
    problem: Problem, nats: float = 8.0, estimator: Estimator | None = None, rng: Rng | int = 0
) -> Attack:
    """D = N(m, S) with the mean and covariance of D0 given C, as far as the nats go.

    It is the nearest of all Gaussians to D0 given C (cross-entropy, Rubinstein 1997), and as a
    Gaussian has the most entropy of what has these moments, it costs no more than that:

        KL(N(m, S) || D0) <= KL(D0 given C || D0) = -log P_D0[C].

    Where that is too much, N(a m, (1 - a) I + a S) in the noise of D0, with the largest a that is
    within the limit. Failures are drawn by `Importance`; so its check should be another sampler's
    or count afresh, as `Attack.check` does.

    Args:
        problem: under a Gaussian D0.
        nats: that D may spend.
        estimator: of log P under D0 and D; `Conditioned(search="fitted")` by default.
        rng: of all draws.

    Raises:
        BadInput: for a limit that is not above 0.
        Unsupported: where D0 is no Gaussian.
        NotConverged: where fewer than 50 failures are seen.

    >>> import workbench as wb
    >>> attack = matched(wb.load("A_d10_1e-6"), nats=20.0)
    >>> attack.nats < 13.9, attack.log10_p > -0.4  # -log 1e-6 = 13.8; half of N(m, S) at least
    (True, True)
    """
    d = problem.distribution
    if not (isinstance(nats, int | float) and 0.0 < nats < math.inf):
        raise BadInput(f"matched: nats must be a number above 0, got {nats!r}")
    if not isinstance(d, Gaussian):
        raise Unsupported(f"a match within a {d.name} D0", "a gaussian D0 is needed")
    start, rng = time.perf_counter(), as_rng(rng)
    judge = Conditioned(search="fitted") if estimator is None else estimator
    before = judge(problem, rng=rng.child("reference"))
    seen = shown(problem, _FORWARDS, rng.child("failures"))
    w = torch.softmax(seen.log_w, 0)
    mean = w @ seen.noise
    off = seen.noise - mean
    cov = (w[:, None] * off).T @ off
    share = _within(mean, cov, float(nats))
    mean, cov = share * mean, _between(cov, share)
    spent = _kl(mean, cov)
    factor = torch.linalg.cholesky(cov)
    scale = d.scale[:, None] * factor if d.diagonal else d.scale @ factor
    moved = Gaussian(d.push(mean), scale)
    after = judge(problem.vary(distribution=moved), rng=rng.child("estimate"))
    forwards = before.cost.forwards + _FORWARDS + seen.forwards + after.cost.forwards
    log_p = float(after.log_p)
    path = torch.tensor([[0.0, spent, log_p, 0.0]], dtype=torch.float64)
    theta = torch.cat([mean, factor.flatten()])
    info = {"share": share, "failures": len(seen.noise)}
    found = Found(theta, log_p, spent, float(before.log_p), 0.0, path, forwards, info)
    return attacked(problem, moved, "matched", (spent, 0.0), found, time.perf_counter() - start)


def _between(cov: Tensor, share: float) -> Tensor:
    eye = torch.eye(len(cov), dtype=cov.dtype)
    return (1.0 - share) * eye + share * cov


def _kl(mean: Tensor, cov: Tensor) -> float:
    """KL(N(mean, cov) || N(0, I)); infinite where cov is singular."""
    rest = cov.diagonal().sum() - len(mean) - torch.logdet(cov)
    return 0.5 * float(mean.square().sum() + torch.nan_to_num(rest, nan=math.inf))


def _within(mean: Tensor, cov: Tensor, nats: float) -> float:
    """The largest a in [0, 1] that is within the limit, by bisection: KL is convex in a."""
    if _kl(mean, cov) <= nats:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        half = 0.5 * (low + high)
        low, high = (half, high) if _kl(half * mean, _between(cov, half)) <= nats else (low, half)
    return low
