"""Speed of `monte_carlo` beside a bare loop that draws, evaluates and counts the same."""

import statistics
import time
from collections.abc import Iterator

import torch

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Gaussian
from workbench.estimators import MonteCarlo
from workbench.iteration import Budget
from workbench.problem import Problem

TARGET = 0.7

_PROBLEMS = ("A_d10_1e-6", "B_w32_h2_1e-5", "B_w64_h4_1e-5", "C_digits_p8_s15")
_DRAWS = {True: 20_000, False: 200_000}
_PAIRS = {True: 3, False: 9}


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem: median seconds of both in turn, one thread, and the median of ratios."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for i, name in enumerate(_PROBLEMS):
            report(i / len(_PROBLEMS), name)
            yield _row(catalogue.load(name), _DRAWS[quick], _PAIRS[quick])
    finally:
        torch.set_num_threads(threads)


def _row(problem: Problem, draws: int, pairs: int) -> Row:
    estimator = MonteCarlo()
    timed = []
    for _ in range(pairs + 1):
        start = time.perf_counter()
        bare(problem, draws, estimator.batch)
        middle = time.perf_counter()
        estimator(problem, Budget(draws))
        timed.append((middle - start, time.perf_counter() - middle))
    timed = timed[1:]  # the first pair warms up
    return {
        "problem": problem.name,
        "draws": draws,
        "bare_seconds": statistics.median(b for b, _ in timed),
        "seconds": statistics.median(o for _, o in timed),
        "ratio": statistics.median(b / o for b, o in timed),
    }


@torch.no_grad()
def bare(problem: Problem, draws: int, batch: int) -> int:
    """Hits among `draws` inputs, by nothing but torch."""
    d, model, spec = problem.distribution, problem.model, problem.spec
    assert isinstance(d, Gaussian)
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for start in range(0, draws, batch):
        n = min(batch, draws - start)
        x = d.mean + d.scale * torch.randn(n, d.dim, generator=generator, dtype=d.dtype)
        hits += int((spec.margin(x, model(x)) > 0).sum())
    return hits


def conclude(rows: list[Row]) -> Iterator[str]:
    """The least ratio beside its target."""
    least = min(row["ratio"] for row in rows)
    met = "met" if least >= TARGET else "missed"
    yield f"monte_carlo runs at {least:.2f} of the bare loop or more (target {TARGET}: {met})."


THROUGHPUT = Bench(
    name="throughput",
    about="speed of monte_carlo over a bare torch loop of the same draws, side by side",
    columns=(
        Column("problem", "problem"),
        Column("draws", "draws", "count"),
        Column("bare_seconds", "bare loop s", "seconds"),
        Column("seconds", "monte_carlo s", "seconds"),
        Column("ratio", "speed ratio", "small"),
    ),
    run=run,
    conclude=conclude,
)
