"""Gaussians that are D0 given C, then D given C, to second order."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.adversaries.result import Attack, attacked
from workbench.adversaries.search import Found
from workbench.distributions import Gaussian
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Conditioned, Estimator
from workbench.estimators.shown import FEWEST, shown
from workbench.problem import Problem
from workbench.rng import Rng, as_rng

_HALVINGS = 60
_FORWARDS, _DRAWS = 50_000, 20_000


@torch.no_grad()
def matched(
    problem: Problem,
    nats: float = 8.0,
    estimator: Estimator | None = None,
    rng: Rng | int = 0,
    rounds: int = 3,
) -> Attack:
    """D = N(m, S) with the mean and covariance of what fails, as far as the nats go.

    The first round takes the moments of D0 given C. N(m, S) is the nearest of all Gaussians to D0
    given C (cross-entropy, Rubinstein 1997), and as a Gaussian has the most entropy of what has
    these moments, it costs no more than that:

        KL(N(m, S) || D0) <= KL(D0 given C || D0) = -log P_D0[C].

    Every further round takes those of the last D given C. As

        log P_D'[C] >= log P_D[C] + E_{D given C}[log D' - log D],

    and the right side is largest at D' = N(m, S), a round that the nats do not cut short cannot
    lower P (expectation-maximisation). Where N(m, S) is too much, N(a m, (1 - a) I + a S) in the
    noise of D0, with the largest a that is within the limit; the best round is kept. The first
    round's failures are drawn by `Importance`, the others' by D; so the check should be another
    sampler's or count afresh, as `Attack.check` does.

    Args:
        problem: under a Gaussian D0.
        nats: that D may spend.
        estimator: of log P under D0 and D; `Conditioned(search="fitted")` by default.
        rng: of all draws.
        rounds: at most; it ends where D shows fewer than 50 failures.

    Raises:
        BadInput: for a limit that is not above 0, or fewer rounds than one.
        Unsupported: where D0 is no Gaussian.
        NotConverged: where fewer than 50 failures are seen under D0.

    >>> import workbench as wb
    >>> attack = matched(wb.load("A_d10_1e-6"), nats=20.0, rounds=1)
    >>> attack.nats < 13.9, attack.log10_p > -0.4  # -log 1e-6 = 13.8; half of N(m, S) at least
    (True, True)
    """
    d = problem.distribution
    if not (isinstance(nats, int | float) and 0.0 < nats < math.inf):
        raise BadInput(f"matched: nats must be a number above 0, got {nats!r}")
    if not (isinstance(rounds, int) and rounds >= 1):
        raise BadInput(f"matched: rounds must be a whole number from 1 on, got {rounds!r}")
    if not isinstance(d, Gaussian):
        raise Unsupported(f"a match within a {d.name} D0", "a gaussian D0 is needed")
    start, rng = time.perf_counter(), as_rng(rng)
    judge = Conditioned(search="fitted") if estimator is None else estimator
    before = judge(problem, rng=rng.child("reference"))
    seen = shown(problem, _FORWARDS, rng.child("failures"))
    noise, weights = seen.noise, torch.softmax(seen.log_w, 0)
    tried: list[_Round] = []
    for k in range(rounds):
        tried.append(_round(problem, noise, weights, float(nats), rng.child("round", k)))
        noise = tried[-1].failures
        if len(noise) < FEWEST:
            break
        weights = torch.full((len(noise),), 1.0 / len(noise), dtype=noise.dtype)
    best = max(tried, key=lambda r: len(r.failures))
    after = judge(problem.vary(distribution=best.law), rng=rng.child("estimate"))
    forwards = before.cost.forwards + _FORWARDS + seen.forwards + after.cost.forwards
    forwards += _DRAWS * len(tried)
    log_p = float(after.log_p)
    path = torch.tensor([[0.0, best.nats, log_p, 0.0]], dtype=torch.float64)
    info = {"share": best.share, "failures": len(seen.noise), "rounds": len(tried)}
    found = Found(best.theta, log_p, best.nats, float(before.log_p), 0.0, path, forwards, info)
    took = time.perf_counter() - start
    return attacked(problem, best.law, "matched", (best.nats, 0.0), found, took)


@dataclass(frozen=True, eq=False)
class _Round:
    """N(m, S) within the nats, as noise of D0 and as D; draws of its noise that fail."""

    theta: Tensor
    law: Gaussian
    nats: float
    share: float
    failures: Tensor


def _round(problem: Problem, noise: Tensor, weights: Tensor, nats: float, rng: Rng) -> _Round:
    d = problem.distribution
    assert isinstance(d, Gaussian)
    mean = weights @ noise
    off = noise - mean
    cov = (weights[:, None] * off).T @ off
    share = _within(mean, cov, nats)
    mean, cov = share * mean, _between(cov, share)
    factor = torch.linalg.cholesky(cov)
    law = Gaussian(d.push(mean), d.scale[:, None] * factor if d.diagonal else d.scale @ factor)
    plain = torch.randn(_DRAWS, len(mean), generator=rng.generator(), dtype=mean.dtype)
    z = mean + plain @ factor.T
    failing = z[problem.margin(d.push(z)) > 0]
    return _Round(torch.cat([mean, factor.flatten()]), law, _kl(mean, cov), share, failing)


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
