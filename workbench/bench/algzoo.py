"""Accuracy of tiny networks from their weights, against sampling of equal compute."""

import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row, one_thread
from workbench.distributions import Enumerable, Sampleable
from workbench.estimators import Enumeration, Estimator, LastInput
from workbench.iteration import UNLIMITED
from workbench.problem import Problem
from workbench.rng import Rng

NOISE = 0.1
"""Standard deviation of what is added to a weight, over the root mean square of its matrix."""
MOST = 100
"""Weights of the largest architecture of which the figure is asked."""


@dataclass(frozen=True)
class Amount:
    """How many noised copies, points of an estimate, and nets of as many for each truth."""

    copies: int
    points: int
    truth: int


FULL, QUICK = Amount(8, 1 << 14, 12), Amount(4, 1 << 12, 8)
_QUICK = (
    "algzoo_second_h2_n2", "algzoo_second_h4_n3", "algzoo_second_h3_n5", "algzoo_second_h4_n8",
    "algzoo_argmedian_h4_n5", "algzoo_argmax_h3_n3", "algzoo_median_h4_n5",
    "algzoo_second_built_n3", "algzoo_cycle_h2_n4",
)  # fmt: skip
_TRIALS = 2


def noised(problem: Problem, rng: Rng, noise: float = NOISE) -> Problem:
    """The same question of a copy of M with N(0, (noise rms)^2) added to each weight.

    The same `rng` bends the weights along one line, `noise` says how far.
    """
    model, generator = copy.deepcopy(problem.model), rng.generator()
    with torch.no_grad():
        for weight in model.parameters():
            drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight += noise * weight.square().mean().sqrt() * drawn
    return Problem(problem.distribution, model, problem.spec, problem.name)


@torch.no_grad()
def sampled(problem: Problem, draws: int, rng: Rng) -> float:
    """P by plain draws, in batches that a cache holds."""
    d, generator, hits = problem.distribution, rng.generator(), 0
    assert isinstance(d, Sampleable)
    for start in range(0, draws, 4096):
        n = min(4096, draws - start)
        x = d.sample(n, generator)
        hits += int((problem.margin(x) > 0).sum())
    return hits / draws


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row an architecture, on one thread."""
    amount = QUICK if quick else FULL
    names = _QUICK if quick else catalogue.tiny_names()
    with one_thread():
        for i, name in enumerate(sorted(names, key=catalogue.tiny_size)):
            report(i / len(names), name)
            yield _row(catalogue.load(name), amount)


def _row(problem: Problem, amount: Amount) -> Row:
    once: Estimator = LastInput(amount.points, 1)
    many: Estimator = LastInput(max(amount.points, 1 << 15), amount.truth)
    if isinstance(problem.distribution, Enumerable):  # so few inputs that all are tried
        once = many = Enumeration()
    squares, variances, draws, doubts, ratios, chances = [], [], [], [], [], []
    for k in range(amount.copies):
        rng = Rng(k).child("algzoo", problem.name)
        bent = noised(problem, rng.child("weights"))
        known = many(bent, UNLIMITED, rng.child("truth"))
        p = float(known.log_p.exp())
        found = once(bent, UNLIMITED, rng.child("estimate"))
        n = found.cost.forwards
        squares.append((float(found.log_p.exp()) - p) ** 2)
        doubts.append((p * (known.log_err or 0.0)) ** 2)
        variances.append(p * (1.0 - p) / n)
        draws.append(n)
        chances.append(p)
        if k < _TRIALS:
            ratios.append(_time_ratio(once, bent, n, rng))
    mse, noise = statistics.fmean(squares), statistics.fmean(variances)
    doubt = statistics.fmean(doubts)
    exact = mse < 1e-24
    gain = None if exact else noise / mse
    return {
        "network": problem.name.removeprefix("algzoo_"),
        "weights": catalogue.tiny_size(problem.name),
        "accuracy": statistics.fmean(chances),
        "forwards": statistics.fmean(draws),
        "mse": mse,
        "sampling": noise,
        "gain": gain,
        "cpu_gain": None if gain is None else gain / statistics.median(ratios),
        "doubt": doubt / mse if mse else 0.0,
        "exact": "exact" if exact else "",
    }


def _time_ratio(estimator: Estimator, problem: Problem, draws: int, rng: Rng) -> float:
    """CPU seconds of the estimate over those of as many draws as it costs forward passes."""
    spent: list[float] = []
    for work in (
        lambda: estimator(problem, UNLIMITED, rng.child("again")),
        lambda: sampled(problem, draws, rng.child("draws")),
    ):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return spent[0] / spent[1]


def conclude(rows: list[Row]) -> Iterator[str]:
    """On which architectures sampling is beaten, and by how much."""
    yield (
        f"Mean squared error of the accuracy over copies with {NOISE:.0%} of noise on the weights; "
        "sampling's is p (1 - p) / n for as many operations, or for as much CPU time, as the "
        "estimate took."
    )
    small = [r for r in rows if r["weights"] <= MOST]
    for key, what in (("gain", "operations"), ("cpu_gain", "CPU time")):
        beaten = [r for r in small if r["exact"] or r[key] > 1.0]
        lost = [r["network"] for r in small if r not in beaten]
        told = [r[key] for r in small if not r["exact"]]
        line = f"For equal {what} sampling is beaten on {len(beaten)} of {len(small)} architectures"
        line += f" of up to {MOST} weights"
        if told:
            line += f", by {min(told):.2g} to {max(told):.2g} times, {statistics.median(told):.2g}"
            line += " in the median"
        exact = sum(bool(r["exact"]) for r in small)
        yield (
            line + f", exactly known on {exact}" + (f"; not on {', '.join(lost)}." if lost else ".")
        )


ALGZOO = Bench(
    name="algzoo",
    about="accuracy of tiny networks from their weights, against sampling",
    columns=(
        Column("network", "network"),
        Column("weights", "weights", "count"),
        Column("accuracy", "accuracy", "small"),
        Column("forwards", "forwards", "count"),
        Column("mse", "MSE", "small"),
        Column("sampling", "MSE of sampling", "small"),
        Column("gain", "ratio", "small"),
        Column("cpu_gain", "for equal CPU", "small"),
        Column("doubt", "truth's share", "small"),
        Column("exact", ""),
    ),
    run=run,
    conclude=conclude,
)
