"""How far off tails from propagated moments are behind few inputs or neurons."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Gaussian
from workbench.estimators import Moments
from workbench.models import mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace

METHODS = Moments(), Moments("cumulant", "saddlepoint")
INPUTS = 4, 16
"""In turn, a network each."""
LEVELS = 0.1, 0.03, 0.01, 0.001


@dataclass(frozen=True)
class Scale:
    """Widths and numbers of hidden layers, networks of each, draws for the truth of each."""

    sizes: tuple[tuple[int, int], ...]
    nets: int
    draws: int


FULL = Scale(tuple((w, h) for w in (8, 16, 32, 64, 96, 256) for h in (1, 2)), 12, 400_000)
QUICK = Scale(((16, 1),), 4, 100_000)
_BLOCK = 50_000


@torch.no_grad()
def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a size, propagator and P: the error of log10 P over random ReLU networks."""
    scale = QUICK if quick else FULL
    for i, (width, hidden) in enumerate(scale.sizes):
        found: dict[tuple[Moments, float], list[tuple[float, bool]]] = {}
        for k in range(scale.nets):
            report((i + k / scale.nets) / len(scale.sizes), f"{width} x {hidden}, network {k}")
            rng = Rng(k).child("narrow", width, hidden)
            for p, problem in _problems(width, hidden, INPUTS[k % len(INPUTS)], scale.draws, rng):
                for method in METHODS:
                    estimate = method(problem)
                    off = abs(estimate.log10_p - math.log10(p))
                    found.setdefault((method, p), []).append((off, bool(estimate.warning)))
        for (method, p), pairs in found.items():
            off = [x for x, _ in pairs]
            yield {
                "size": f"{width} x {hidden}",
                "propagator": method.propagator,
                "p": p,
                "median": statistics.median(off),
                "worst": max(off),
                "warned": sum(said for _, said in pairs),
                "nets": len(pairs),
            }


def _problems(
    width: int, hidden: int, inputs: int, draws: int, rng: Rng
) -> Iterator[tuple[float, Problem]]:
    """One network, and the bars that so many of the draws pass."""
    net = mlp([inputs, *[width] * hidden, 1], rng.child("net").generator(), bias_std=0.3)
    g, zero = rng.child("x").generator(), torch.zeros(inputs, dtype=torch.float64)
    d = Gaussian(zero, torch.ones_like(zero))
    one = torch.ones(1, dtype=torch.float64)
    problem = Problem(d, net, Halfspace(one, 0.0))
    assert problem.readable  # once, for all bars
    y = torch.cat([net(d.sample(_BLOCK, g))[:, 0] for _ in range(draws // _BLOCK)]).sort().values
    for p in LEVELS:
        bar = float(y[-int(p * len(y))])
        yield p, problem.vary(spec=Halfspace(one, -bar))


def conclude(rows: list[Row]) -> Iterator[str]:
    """What each propagator is worth at each P, over all sizes."""
    for name, p in dict.fromkeys((r["propagator"], r["p"]) for r in rows):
        mine = [r for r in rows if (r["propagator"], r["p"]) == (name, p)]
        low, high = min(r["median"] for r in mine), max(r["median"] for r in mine)
        yield (
            f"{name} at P = {p}: {low:.2f} to {high:.2f} digits off in the median, "
            f"{max(r['worst'] for r in mine):.1f} at worst; "
            f"{sum(r['warned'] for r in mine)} of {sum(r['nets'] for r in mine)} warned of."
        )


NARROW = Bench(
    name="narrow",
    about="tails from propagated moments behind few inputs or neurons: error, and who is warned of",
    columns=(
        Column("size", "size"),
        Column("propagator", "propagator"),
        Column("p", "P"),
        Column("median", "median error", "digits"),
        Column("worst", "worst", "digits"),
        Column("warned", "warned", "count"),
        Column("nets", "networks", "count"),
    ),
    run=run,
    conclude=conclude,
    sections=("size",),
)
