"""The small problems of all kinds again, their events as rare as 1e-5 to 1e-9."""

import math

import torch

from workbench.bench.mixed_problems import Series, series_of
from workbench.distributions import Reparameterised
from workbench.errors import NotConverged
from workbench.estimators import Subset
from workbench.estimators.levels import quantile, refill
from workbench.experiments import best_truth
from workbench.kernels import PCN
from workbench.math.logspace import LN10
from workbench.problem import Problem, Truth
from workbench.rng import Rng

RARE = (1e-5, 1e-7, 1e-9)
"""How rare C is, in turn: about that, as one run of splitting has it."""
SAMPLERS = (
    Subset(particles=10_000),
    Subset(particles=10_000, kernel="elliptical_slice", levels="fixed"),
)
"""What truths are made of where wide draws are too few, and has to agree."""
_FORWARDS, _UNKNOWN = 1_200_000, 0.1
_WIDTHS = torch.linspace(1.0, 2.6, 9, dtype=torch.float64)
_BATCH, _FIRST, _MOST, _EFFECTIVE = 100_000, 1_000_000, 10_000_000, 2_500
_PARTICLES, _KEEP, _ACCEPTED, _LEVELS = 2_000, 0.1, 0.35, 30


def rare_problem(seed: int) -> Problem:
    """The D and M of `mixed_problem(seed)`, its C with a bar that one draw of 1e5 to 1e9 passes.

    Raises:
        NotConverged: where no bar is passed that rarely.
    """
    series, rare = series_of(seed), RARE[seed % len(RARE)]
    return series.at(bar_of(series, rare, Rng(seed).child("bar")), rare)


@torch.no_grad()
def bar_of(series: Series, rare: float, rng: Rng) -> float:
    """The bar that the margin passes with about that probability, by splitting.

    Raises:
        NotConverged: where the margin has a largest value that it takes more often.
    """
    problem, d, log_rare = series.at(0.0, rare), series.distribution, math.log(rare)
    assert isinstance(d, Reparameterised)
    z = d.noise(_PARTICLES, rng.child("first").generator())
    s, log_p, step = problem.margin_of_noise(z), 0.0, PCN.start
    for level in range(_LEVELS):
        share = max(_KEEP, math.exp(log_rare - log_p))
        bar = quantile(s, share)
        above = float((s > bar).double().mean())
        if not above:
            break
        if share > _KEEP:
            return bar
        log_p += math.log(above)
        up = refill(
            problem, PCN(), z, s, bar, rng.child(level), step_size=step, target=_ACCEPTED,
            left=math.inf,
        )  # fmt: skip
        assert up is not None  # no budget ends it
        z, s, step = up.noise, up.margin, up.step_size
    raise NotConverged(f"{series.name}: no bar is passed once in {1 / rare:,.0f} draws")


def truth_of(problem: Problem, seed: int = 0, forwards: int = _FORWARDS) -> Truth:
    """What wide draws say, or two kinds of splitting where too few of those lie in C.

    Raises:
        NotConverged: where the two do not agree, or do not know P to a tenth of a digit.
    """
    wide = widely(problem, seed)
    if wide is not None:
        return wide
    found = best_truth(problem, forwards, seed, SAMPLERS)
    if found.se_log10 > _UNKNOWN:
        raise NotConverged(f"{problem.name}: P is known to {found.se_log10:.2g} digits alone")
    return found


@torch.no_grad()
def widely(problem: Problem, seed: int = 0) -> Truth | None:
    """P from noise drawn more widely than D has it, None where that is not sharp.

    Draws from the mixture of N(0, v^2 I), v = 1 to 2.6, weighed by its density (the balance
    heuristic): unbiased, blind to nothing for want of a gradient, no weight above the number of v.
    In a few dimensions many of them lie in C, however rare it is.
    """
    d, v = problem.distribution, _WIDTHS
    assert isinstance(d, Reparameterised)
    rng, n, first, second = Rng(seed).child("wide"), 0, 0.0, 0.0
    while n < _MOST:
        e = d.noise(_BATCH, rng.child(n).generator())
        z = v[torch.arange(_BATCH) % len(v), None] * e
        z = z[problem.margin_of_noise(z) > 0]
        square = z.square().sum(1, keepdim=True)
        log_q = torch.logsumexp(-0.5 * square / v**2 - z.shape[1] * torch.log(v), 1)
        weight = torch.exp(-0.5 * square[:, 0] - log_q + math.log(len(v)))
        n, first = n + _BATCH, first + float(weight.sum())
        second += float(weight.square().sum())
        effective = first**2 / second if second else 0.0
        if effective > _EFFECTIVE:
            error = math.sqrt(1.0 / effective - 1.0 / n) / LN10
            return Truth(math.log10(first / n), error, f"{n:,} draws of wider noise")
        if n >= _FIRST and effective * _MOST < _EFFECTIVE * n:
            break
    return None
