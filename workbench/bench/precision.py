"""What single precision does to P: the same draws judged in float32 and in float64."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Reparameterised
from workbench.errors import NotConverged
from workbench.estimators import Importance
from workbench.estimators.proposal import Proposal
from workbench.iteration import Budget
from workbench.iteration import run as run_to
from workbench.math.gaussian import TWO_SIDED_95
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.rng import Rng

PROBLEMS = ("A_d10_1e-6", "B_w32_h2_1e-5", "B_w64_h2_1e-8", "C_digits_p8_s15", "D_mintree_1e-7")
QUICK = ("A_d10_1e-6", "C_digits_p8_s15")
_BUDGET = {True: 12_000, False: 60_000}
_DRAWS = {True: 20_000, False: 200_000}
_BATCH = 10_000


@dataclass(frozen=True)
class Bias:
    """log10 of P in float32 over P in float64, from the same draws.

    Attributes:
        digits: the difference.
        error: its standard error.
        changed: draws whose verdict changed.
        failures: draws that failed in float64.
    """

    digits: float
    error: float
    changed: int
    failures: int


@torch.no_grad()
def bias(problem: Problem, budget: int, draws: int, seed: int = 0) -> Bias:
    """The bias of float32, by importance sampling in common.

    With weights w of draws z from a fitted proposal q, P64 = E_q[w 1(s(z) > 0)]; P32 is the same
    with z rounded to float32, and w and s computed in it. Their difference is the mean of the
    draws' own differences, and its standard error is theirs. Rare draws whose verdict changes make
    up most of it: where none did, one such draw of mean weight is the stated error.

    Args:
        problem: in float64.
        budget: forward passes to fit the proposal with.
        draws: judged in both.
        seed: of all random numbers.

    Raises:
        NotConverged: where no draw failed.
    """
    method, single, d = Importance(), problem.to(torch.float32), problem.distribution
    assert isinstance(d, Reparameterised)
    state, _ = run_to(method, problem, method.init(problem, Rng(seed)), Budget(budget))
    q = state.drawn_from
    short = replace(
        q, means=q.means.float(), basis=q.basis.float(), var=q.var.float(), share=q.share.float()
    )
    generator = Rng(seed).child("precision").generator()
    double, rounded = [], []
    for _ in range(math.ceil(draws / _BATCH)):
        z, _ = q.draw(d.noise(_BATCH, generator), generator)
        double.append(_weights(problem, q, z))
        rounded.append(_weights(single, short, z.float()).double())
    a, b = torch.cat(double), torch.cat(rounded)
    p = float(a.mean())
    changed, failures = int(((a > 0) != (b > 0)).sum()), int((a > 0).sum())
    if not failures:
        raise NotConverged(f"no draw around the likeliest failures of {problem.name!r} failed")
    ratio = float(b.mean()) / p
    error = float((b - ratio * a).std()) / math.sqrt(len(a)) / p
    if not changed:
        error += 1.0 / failures
    digits = math.log10(ratio) if ratio else -math.inf
    return Bias(digits, error / (LN10 * max(ratio, 1e-300)), changed, failures)


def _weights(problem: Problem, q: Proposal, z: Tensor) -> Tensor:
    """phi(z) / q(z) where C holds, else 0."""
    w = torch.exp(-0.5 * z.square().sum(1) - q.log_density(z))
    return torch.where(problem.margin_of_noise(z) > 0, w, 0.0)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem."""
    names = QUICK if quick else PROBLEMS
    for i, name in enumerate(names):
        report(i / len(names), name)
        found = bias(catalogue.load(name), _BUDGET[quick], _DRAWS[quick])
        yield {
            "problem": name,
            "draws": _DRAWS[quick],
            "bias": found.digits,
            "bias_error": found.error,
            "changed": found.changed,
            "failures": found.failures,
            "upper": abs(found.digits) + TWO_SIDED_95 * found.error,
        }


def conclude(rows: list[Row]) -> Iterator[str]:
    """The worst of it."""
    worst = max(row["upper"] for row in rows)
    yield (
        f"float32 moves log10 P by less than {worst:.1g} (95% confidence, the worst of "
        f"{len(rows)} problems); a run's own error is a hundredth of a digit or more."
    )


PRECISION = Bench(
    name="precision",
    about="what float32 does to P: the same draws judged in float32 and in float64",
    columns=(
        Column("problem", "problem"),
        Column("draws", "draws", "count"),
        Column("failures", "failures", "count"),
        Column("changed", "verdicts changed", "count"),
        Column("bias", "bias, digits", "small"),
        Column("bias_error", "its error", "small"),
    ),
    run=run,
    conclude=conclude,
)
