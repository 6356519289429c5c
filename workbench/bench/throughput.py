"""Speed of `monte_carlo` and `subset` beside a bare loop of as many passes, in both precisions."""

import statistics
import time
from collections.abc import Iterator

import torch

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.distributions import Gaussian
from workbench.estimators import Estimator, MonteCarlo, Subset
from workbench.iteration import Budget
from workbench.problem import Problem

TARGET = 0.7

_PROBLEMS = ("A_d10_1e-6", "B_w32_h2_1e-5", "B_w64_h4_1e-5", "C_digits_p8_s15")
_ESTIMATORS: tuple[Estimator, ...] = (MonteCarlo(), Subset())
_BATCH = 2048
_DRAWS = {True: 20_000, False: 200_000}
_PAIRS = {True: 3, False: 9}


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and estimator: median seconds in turn, one thread, median ratios."""
    with one_thread():
        for i, name in enumerate(_PROBLEMS):
            for j, estimator in enumerate(_ESTIMATORS):
                report((i + j / len(_ESTIMATORS)) / len(_PROBLEMS), f"{name}: {estimator.name}")
                yield _row(catalogue.load(name), estimator, _DRAWS[quick], _PAIRS[quick])


def _row(problem: Problem, estimator: Estimator, draws: int, pairs: int) -> Row:
    single, timed = problem.to(torch.float32), []
    for _ in range(pairs + 1):
        spent, seconds = _timed(estimator, problem, draws)
        start = time.perf_counter()
        bare(problem, spent, _BATCH)
        plain = time.perf_counter() - start
        short_spent, short = _timed(estimator, single, draws)
        timed.append((plain, seconds, seconds / spent * short_spent / short))
    timed = timed[1:]  # the first pair warms up
    return {
        "problem": problem.name,
        "estimator": estimator.name,
        "draws": draws,
        "bare_seconds": statistics.median(b for b, _, _ in timed),
        "seconds": statistics.median(o for _, o, _ in timed),
        "ratio": statistics.median(b / o for b, o, _ in timed),
        "single": statistics.median(f for _, _, f in timed),
    }


def _timed(estimator: Estimator, problem: Problem, draws: int) -> tuple[int, float]:
    """Forward passes that a run spent, and its seconds."""
    start = time.perf_counter()
    estimate = estimator(problem, Budget(draws))
    return estimate.cost.forwards, time.perf_counter() - start


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
    """The least ratios beside their target, and what float32 gains."""
    for name in dict.fromkeys(row["estimator"] for row in rows):
        mine = [row for row in rows if row["estimator"] == name]
        least = min(mine, key=lambda row: row["ratio"])
        met = "met" if least["ratio"] >= TARGET else f"missed, on {least['problem']}"
        gains = [row["single"] for row in mine]
        yield (
            f"{name} runs at {least['ratio']:.2f} of the bare loop or more (target {TARGET}: "
            f"{met}); in float32 {min(gains):.1f} to {max(gains):.1f} times as fast."
        )


THROUGHPUT = Bench(
    name="throughput",
    about="speed of monte_carlo and subset over a bare torch loop of as many passes; of float32",
    columns=(
        Column("problem", "problem"),
        Column("estimator", "estimator"),
        Column("draws", "draws", "count"),
        Column("bare_seconds", "bare loop s", "seconds"),
        Column("seconds", "estimator s", "seconds"),
        Column("ratio", "speed ratio", "small"),
        Column("single", "float32 gains", "small"),
    ),
    run=run,
    conclude=conclude,
)
