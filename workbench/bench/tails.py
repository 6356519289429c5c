"""Deterministic estimates of log P against the truth: error, cost, gradient."""

import math
import statistics
import time
from collections.abc import Iterator

import torch

from workbench import catalogue, estimators
from workbench.bench import held_out, regions
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Gaussian
from workbench.errors import NotConverged, Unsupported
from workbench.estimators import Conditioned, Estimator
from workbench.iteration import Budget
from workbench.iteration import run as through
from workbench.objective import log_p_and_grad
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Grad, Kind

QUICK = ("A_d10_1e-12", "B_w32_h3_1e-5", "C_digits_p22_s20", "D_needle_1e-6")
BUDGET = Budget(100_000)
_TIMES = 3
_VAGUE = 0.1  # digits: a standard error of a truth beyond which it judges nothing finer
_FAMILIES = {"A": "linear", "B": "random", "C": "digits", "D": "triggers", "d": "digits"}


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and estimator: the reference problems, then held-out ones."""
    names = QUICK if quick else tuple(catalogue.names())
    methods = [
        cls() for cls in estimators.ALL if cls.kind is Kind.HEURISTIC and cls.grad is not Grad.NONE
    ]
    others = 2 + 2 * (1 if quick else len(held_out.NETS) + len(held_out.IMAGES))
    for i, name in enumerate(names):
        report(i / (len(names) + others), name)
        problem = catalogue.load(name)
        if problem.truth is not None:
            family = _FAMILIES.get(name[0], "other")
            yield from (row(family, problem, method) for method in methods)
    for i, problem in enumerate(held_out.problems(quick)):
        report((len(names) + i) / (len(names) + others), problem.name)
        yield from (row("held out", problem, method) for method in methods)


def row(family: str, problem: Problem, method: Estimator) -> Row:
    """The estimate beside the truth, and its gradient where a reference is known."""
    truth = problem.truth
    assert truth is not None
    found: Row = {
        "family": family,
        "problem": problem.name,
        "truth": truth.log10_p,
        "truth_se": truth.se_log10,
        "estimator": method.name,
    }
    try:
        with torch.no_grad():
            estimate = method(problem, BUDGET)
        found |= {
            "log10_p": estimate.log10_p,
            "error": estimate.log10_p - truth.log10_p,
            "forwards": estimate.cost.forwards,
            "seconds": estimate.cost.seconds,
            "indicator": estimate.indicator,
            "warning": estimate.warning,
        }
        found |= _gradient(problem, method)
        if isinstance(method, Conditioned):
            found["one_region"] = likeliest_pattern(problem, method)
    except (Unsupported, NotConverged) as error:
        found["reason"] = str(error)
    return found


def _gradient(problem: Problem, method: Estimator) -> Row:
    """Relative L2 error of d log P / d mean of the noise; time of both over that of the value."""
    truth, d = problem.truth, problem.distribution
    if truth is None or "noise_mean" not in truth.gradients or not isinstance(d, Gaussian):
        return {}
    if not d.diagonal:
        return {}
    exact = truth.gradients["noise_mean"]
    mean = d.mean.clone().requires_grad_()
    varied = problem.vary(distribution=Gaussian(mean, d.scale))
    both, alone = [], []
    gradient = torch.zeros_like(mean)
    for _ in range(_TIMES):
        start = time.perf_counter()
        _, (gradient,) = log_p_and_grad(varied, method, [mean], BUDGET)
        both.append(time.perf_counter() - start)
        start = time.perf_counter()
        with torch.no_grad():
            method(varied, BUDGET)
        alone.append(time.perf_counter() - start)
    error = (gradient * d.scale - exact).norm() / exact.norm()
    return {
        "gradient_error": float(error),
        "gradient_cost": statistics.median(both) / statistics.median(alone),
    }


@torch.no_grad()
def likeliest_pattern(problem: Problem, method: Conditioned) -> float:
    """Share of P that lies in the likeliest linear region of a ReLU network, by the lines.

    More than what exact integration over one activation pattern gives; see `bench regions`.
    """
    state, _ = through(method, problem, method.init(problem, Rng(0)), BUDGET)
    if not len(state.t):
        return 1.0
    return float(regions.shares(state, regions.patterns(problem, state)).max())


def conclude(rows: list[Row]) -> Iterator[str]:
    """Median and worst error by estimator and family; apart what it warned of, and what no truth
    judges."""
    for name in dict.fromkeys(r["estimator"] for r in rows):
        for family in dict.fromkeys(r["family"] for r in rows):
            mine = [r for r in rows if (r["estimator"], r["family"]) == (name, family)]
            known = [r for r in mine if "error" in r]
            if known:
                yield f"{name}, {family}: {' '.join(_told(known))}"
    regions = [r["one_region"] for r in rows if r.get("one_region", 1.0) < 1.0]
    if regions:
        yield (
            f"The likeliest linear region of a network holds {statistics.median(regions):.1%} of P "
            f"(most {max(regions):.1%}), as its lines have it."
        )
    yield (
        "Forwards: forward passes, or operations in forward-equivalents. Truths of held-out "
        "problems are sampled in the same run, to the error stated."
    )


def _told(known: list[Row]) -> Iterator[str]:
    """What rows of one estimator and family come to."""
    vague = [r for r in known if r["truth_se"] > _VAGUE]
    warned = [r for r in known if r not in vague and r["warning"]]
    plain = [r for r in known if r not in vague and not r["warning"]]
    errors = [abs(r["error"]) for r in plain]
    spent = [r["forwards"] for r in known]
    if errors:
        text = (
            f"{len(plain)} problems, |error| median {statistics.median(errors):.2g} digits, worst "
            f"{max(errors):.2g}"
        )
        told = [(abs(r["error"]), r["indicator"]) for r in plain if r["indicator"] is not None]
        if told:
            text += f"; below twice the digits foretold on {sum(e < 2 * i for e, i in told)} of "
            text += f"{len(told)}"
        if any(math.isinf(e) for e in errors):
            text += f"; P = 0 on {sum(map(math.isinf, errors))}"
        yield text + "."
    if warned:
        worst = max(abs(r["error"]) for r in warned)
        yield f"Warned of {len(warned)}, off by {worst:.2g} at most."
    if vague:
        worst = max(vague, key=lambda r: abs(r["error"]))
        yield (
            f"Of {len(vague)} the truth is known to {_VAGUE:g} digits at best: off by "
            f"{abs(worst['error']):.2g} at most, where it is known to {worst['truth_se']:.1g}."
        )
    yield f"Forwards: median {statistics.median(spent):,.0f}, most {max(spent):,}."
    slopes = [r["gradient_error"] for r in known if "gradient_error" in r]
    if slopes:
        costs = [r["gradient_cost"] for r in known if "gradient_cost" in r]
        yield (
            f"Gradient off by {statistics.median(slopes):.1%} (worst {max(slopes):.1%}); value and "
            f"gradient take {statistics.median(costs):.1f} times the seconds of the value."
        )


TAILS = Bench(
    name="tails",
    about="log P without a random draw on all reference and on held-out problems: error, cost",
    columns=(
        Column("family", "family"),
        Column("problem", "problem"),
        Column("truth", "truth", "power", "truth_se"),
        Column("estimator", "estimator"),
        Column("error", "error", "error"),
        Column("indicator", "foretold", "digits"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
        Column("gradient_error", "gradient off", "small"),
        Column("gradient_cost", "both / value", "small"),
        Column("one_region", "one region", "small"),
    ),
    run=run,
    conclude=conclude,
    sections=("family", "problem"),
)
