"""Iterated expectations: what an estimate owes to the heat equation, and what its debt tells.

For D = N(m, S) the true P satisfies E P(m', a S) = P(m, S) over m' ~ N(m, (1 - a) S): integrate a
part of D by hand, leave the rest to the estimate, and nothing may change. At a -> 1 that is the
heat equation, dP/da = tr(S Hess_m P) / 2 at (m, a S). An estimate P-hat = exp(e) has the defect

    rate = [tr(S Hess_m P-hat) / 2 - dP-hat/da] / P-hat
         = (tr(S Hess_m e) + grad e . S grad e) / 2 - de/da,

the speed at which log P-hat changes when a part of D is integrated exactly: positive where more
work would raise it. No truth is needed.

Far in the tail e is close to - (margin / deviation)^2 / 2, and what the rate sees is the deviation.
If the heat equation wants the variance (1 + rate / drift) times what it is, with drift = de/da,
then log P differs from e by

    rate drift / (drift + rate),

exactly so for a half-space whose variance is wrong by any factor. `correction(c)` is that with c
times the rate; c = 1 is what one step of exact integration says, and smaller c allow for an error
that fades as D is integrated. c = 0.3 is what output means of random networks give (see
`bench coherence`); nothing was fitted to tails.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.coherence.base import require_deterministic
from workbench.distributions import Gaussian, Mixture
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Estimator, design_points
from workbench.iteration import Budget
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad

STEP = 1e-2
"""Of the differences, in standard deviations of D."""
TYPICAL = 0.3
"""The usual c."""
_AT_ONCE = 16  # fourth cumulants are n^4 numbers each


@dataclass(frozen=True)
class Heat:
    """The heat-flow defect of one estimate; all in nats.

    Attributes:
        log_p: the estimate e.
        rate: the defect; 0 for the truth.
        drift: de/da, what log P gains per unit of relative variance.
        rate_err: standard error of `rate` over the probes; 0 where it is exact.
        estimates: how many estimates it took.
    """

    log_p: float
    rate: float
    drift: float
    rate_err: float = 0.0
    estimates: int = 1

    def correction(self, c: float = TYPICAL) -> float:
        """What to add to log P; see the head of this module.

        >>> Heat(log_p=-18.0, rate=18.0, drift=18.0).correction(c=1.0)  # half of the variance
        9.0
        """
        pull = c * self.rate
        if self.drift <= 0.0:  # not a tail: the rate itself
            return min(pull, -self.log_p)
        # A variance can at most vanish: below half of it nothing is claimed.
        share = max(pull / self.drift, -0.5)
        return min(share / (1.0 + share) * self.drift, -self.log_p)

    @property
    def log10_p(self) -> float:
        """log10 of the estimate."""
        return self.log_p / LN10

    @property
    def corrected_log10(self) -> float:
        """log10 of the corrected P."""
        return (self.log_p + self.correction()) / LN10

    @property
    def digits(self) -> float:
        """Size of the correction in digits: how far off the estimate may be."""
        return abs(self.correction()) / LN10


def heat_flow(
    problem: Problem, estimator: Estimator, probes: int | None = None, seed: int = 0,
    budget: Budget | int | None = None,
) -> Heat:  # fmt: skip
    """The heat-flow defect of a deterministic estimator.

    Args:
        probes: how many random directions stand for all of D's; None takes every one, which is
            exact up to the step and costs 2 n + 3 estimates. k probes cost 2 k + 5: beside them
            goes the direction in which log P rises most (or that of the likeliest failure, where
            the estimate has no gradient), which no random one stands for.
        seed: of the probes.
        budget: of each estimate.

    Raises:
        Unsupported: for another D than a Gaussian or a mixture, or an estimator that samples.
        NotConverged: where the estimate is 0 for a D next to this one.
    """
    require_deterministic(estimator)
    job = heat_steps(problem, estimator, probes, seed, budget)
    return next(news for news in job if isinstance(news, Heat))


def heat_steps(
    problem: Problem, estimator: Estimator, probes: int | None = None, seed: int = 0,
    budget: Budget | int | None = None,
) -> Iterator[Heat | float]:  # fmt: skip
    """The same, a share of the work done after every estimate and the `Heat` at the end."""
    d = problem.distribution
    parts: tuple[Gaussian, ...]
    match d:
        case Gaussian():
            parts, log_w = (d,), torch.zeros(1, dtype=torch.float64)
        case Mixture():
            parts, log_w = d.components, d.log_weights.detach().double()
        case _:
            raise Unsupported(
                f"the heat flow of {d.name!r}", "a gaussian or a mixture of them is needed"
            )
    found = []
    for i, part in enumerate(parts):
        one = problem.vary(distribution=part)
        for share in _one(one, part, estimator, probes, seed, budget):
            if isinstance(share, float):
                yield (i + share) / len(parts)
            else:
                found.append(share)
    yield _joined(found, log_w)


def _joined(parts: list[Heat], log_w: Tensor) -> Heat:
    """Rates and drifts weighted by what each part gives to P."""
    terms = torch.tensor([h.log_p for h in parts], dtype=torch.float64) + log_w
    total = float(torch.logsumexp(terms, 0))
    estimates = sum(h.estimates for h in parts)
    if total == -math.inf:
        return Heat(total, 0.0, 0.0, 0.0, estimates)
    w = torch.exp(terms - total).tolist()
    rate = sum(a * h.rate for a, h in zip(w, parts, strict=True) if a > 0)
    drift = sum(a * h.drift for a, h in zip(w, parts, strict=True) if a > 0)
    err = math.hypot(*(a * h.rate_err for a, h in zip(w, parts, strict=True)))
    return Heat(min(total, 0.0), rate, drift, err, estimates)


@torch.no_grad()
def _one(
    problem: Problem, d: Gaussian, estimator: Estimator, probes: int | None, seed: int,
    budget: Budget | int | None,
) -> Iterator[Heat | float]:  # fmt: skip
    def log_p(offset: Tensor | None = None, log_a: float = 0.0) -> float:
        moved = d if offset is None else Gaussian(d.push(offset[None])[0], d.scale)
        moved = Gaussian(moved.mean, moved.scale * math.exp(0.5 * log_a))
        return float(estimator(problem.vary(distribution=moved), budget).log_p)

    n = d.dim
    e = log_p()
    if not math.isfinite(e):
        yield Heat(e, 0.0, 0.0)
        return
    lead = None if probes is None or probes >= n - 1 else _leading(problem, d, estimator, budget)
    basis = _directions(d, probes, lead, seed)
    terms = []
    for k, v in enumerate(basis):
        up, down = log_p(STEP * v), log_p(-STEP * v)
        slope = (up - down) / (2.0 * STEP)
        terms.append(0.5 * ((up + down - 2.0 * e) / STEP**2 + slope * slope))
        yield (k + 1) / (len(basis) + 1)
    drift = (log_p(log_a=STEP) - log_p(log_a=-STEP)) / (2.0 * STEP)
    if not all(math.isfinite(x) for x in (*terms, drift)):
        raise NotConverged(
            f"the heat flow of {estimator.name!r} is not known: it answers 0 for some D that is "
            f"{STEP:g} standard deviations from this one"
        )
    fixed = 0 if lead is None else 1
    others, left = terms[fixed:], n - fixed
    mean = sum(others) / len(others)
    spread = math.sqrt(sum((t - mean) ** 2 for t in others) / max(1, len(others) - 1))
    err = left * spread * math.sqrt(1.0 / len(others) - 1.0 / left)
    yield Heat(e, sum(terms[:fixed]) + left * mean - drift, drift, err, 2 * len(basis) + 3)


def _leading(
    problem: Problem, d: Gaussian, estimator: Estimator, budget: Budget | int | None
) -> Tensor | None:
    """The direction of noise in which log P rises most, `(n,)`; None where none is known."""
    if estimator.grad is Grad.PATHWISE:
        with torch.enable_grad():
            offset = torch.zeros(d.dim, dtype=d.dtype, requires_grad=True)
            moved = problem.vary(distribution=Gaussian(d.push(offset[None])[0], d.scale))
            log_p = estimator(moved, budget).log_p
            if log_p.requires_grad:
                (found,) = torch.autograd.grad(log_p, offset)
                return found / found.norm() if float(found.norm()) > 0 else None
        return None
    point, _ = design_points.nearest(problem, Rng(0), math.inf)
    return None if point is None or float(point.norm()) == 0 else point / point.norm()


def _directions(d: Gaussian, probes: int | None, lead: Tensor | None, seed: int) -> Tensor:
    """Orthonormal directions of noise, `(count, n)`: all axes, or the lead and random ones."""
    if probes is None or probes >= d.dim:
        return torch.eye(d.dim, dtype=d.dtype)
    draw = Rng(seed).child("probes").generator()
    x = torch.randn(d.dim, max(1, probes), generator=draw, dtype=torch.float64)
    if lead is not None:
        x = torch.cat([lead[:, None].double(), x], 1)
    q, r = torch.linalg.qr(x)
    return (q * torch.sign(torch.diagonal(r))).T.to(d.dtype)


def mean_defect(
    means: Callable[[Tensor], Tensor], n: int, step: float = 0.05
) -> tuple[Tensor, Tensor]:
    """The heat-flow defect of output means of a network that is homogeneous of degree 1.

    There (bias-free ReLU, D = N(m, I) at m = 0) the truth has Laplacian_m u = u, so that
    delta = Laplacian_m e - e is the estimate's debt, and e + c delta a better one.

    Args:
        means: from points m `(batch, n)` to estimated output means `(batch, k)`.
        n: length of the input.

    Returns:
        e and delta, each `(k,)`.
    """
    eye = step * torch.eye(n, dtype=torch.float64)
    at = torch.cat([torch.zeros(1, n, dtype=torch.float64), eye, -eye])
    out = torch.cat([means(m) for m in at.split(_AT_ONCE)])
    e = out[0]
    return e, ((out[1 : n + 1] + out[n + 1 :] - 2.0 * e) / step**2).sum(0) - e
