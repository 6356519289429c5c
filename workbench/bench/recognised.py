"""P under laws that are recognised, not sampled: `ratio` against truths of its two parts."""

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.distributions import Conditional, Gaussian, Recognised
from workbench.errors import NotConverged
from workbench.estimators import Conditioned, Importance, Ratio, Subset
from workbench.experiments import best_truth
from workbench.models import Network, mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace

NETS = ((8, 16, 2, 0.1), (16, 24, 2, 0.1), (24, 16, 3, 0.1), (32, 32, 3, 0.1), (16, 16, 2, 0.0))
"""Inputs, width, hidden layers, standard deviation of the biases: of M and of the recogniser."""
RARE = (4.5, 5.5)
"""Where the recogniser fires, in its standard deviations above its mean."""
FAILS = 3.0
"""Where C begins, in standard deviations of M's margin under the base."""
SEEDS = 2

_NORMAL = (1.0, -1.0)
_DRAWS = 20_000
_BUDGET, _LITTLE = 6_000_000, 600_000
_SAMPLERS = (
    Importance(), Subset(2000), Subset(2000, kernel="elliptical_slice", levels="fixed"),
)  # fmt: skip
_CLOSE, _SURE = 0.3, 0.1  # digits: an error to stay below; a truth to go by


def held_out(quick: bool) -> Iterator[Problem]:
    """Random pairs of networks; nothing was chosen by looking at them."""
    nets, seeds, bars = (NETS[-1:], 1, RARE[:1]) if quick else (NETS, SEEDS, RARE)
    for seed in range(seeds):
        for size in nets:
            for rare in bars:
                yield random_pair(*size, rare, seed)


def random_pair(
    inputs: int, width: int, hidden: int, bias: float, rare: float, seed: int
) -> Problem:
    """y0 - y1 of one He network, given that y0 - y1 of another lies far above its mean."""
    rng = Rng(seed).child("recognised", inputs, width, hidden)
    widths = [inputs, *[width] * hidden, 2]
    x = torch.randn(_DRAWS, inputs, generator=rng.child("x").generator(), dtype=torch.float64)

    def drawn(name: str) -> Network:
        net = mlp(widths, rng.child(name).generator(), bias_std=bias)
        return net.requires_grad_(False)

    normal = torch.tensor(_NORMAL, dtype=torch.float64)

    def beyond(net: Network, deviations: float) -> Halfspace:
        s: Tensor = net(x) @ normal
        return Halfspace(normal, -float(s.mean() + deviations * s.std()))

    recogniser, model = drawn("recogniser"), drawn("model")
    one = torch.ones(inputs, dtype=torch.float64)
    law = Conditional(Gaussian(0.0 * one, one), recogniser, beyond(recogniser, rare))
    name = f"{inputs}-{'-'.join([str(width)] * hidden)}, bias {bias:g}, {rare:g} sd, seed {seed}"
    return Problem(law, model, beyond(model, FAILS), name)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """A row a problem: those of the catalogue, then held-out ones."""
    named = [catalogue.load(name) for name in catalogue.names() if name.startswith("F_")]
    known = [p for p in named if isinstance(p.distribution, Recognised)][: 1 if quick else None]
    drawn = list(held_out(quick))
    for i, problem in enumerate([*known, *drawn]):
        report(i / (len(known) + len(drawn)), problem.name)
        family = "catalogue" if i < len(known) else "held out"
        yield row(family, problem, _LITTLE if quick else _BUDGET)


@torch.no_grad()
def row(family: str, problem: Problem, budget: int) -> Row:
    """`ratio` and the presumption of independence beside the truth, made where none is stored."""
    found: Row = {"family": family, "problem": problem.name}
    try:
        truth = problem.truth or best_truth(problem, budget, methods=_SAMPLERS)
        estimate = Ratio()(problem)
    except NotConverged as error:
        return {**found, "reason": str(error)}
    base = problem.distribution.parts()[0]  # type: ignore[attr-defined]
    alone = Conditioned(search="fitted")(replace(problem, distribution=base, truth=None))
    return {
        **found,
        "recognised": estimate.info["log10_p_recognised"],
        "truth": truth.log10_p,
        "truth_se": truth.se_log10,
        "error": estimate.log10_p - truth.log10_p,
        "spread": estimate.info.get("spread_digits"),
        "alone": alone.log10_p - truth.log10_p,
        "forwards": estimate.cost.forwards,
        "seconds": estimate.cost.seconds,
        "warning": estimate.warning,
    }


def conclude(rows: list[Row]) -> Iterable[str]:
    """Median, worst, and how many are close, by family."""
    for family in dict.fromkeys(r["family"] for r in rows):
        mine = [r for r in rows if r["family"] == family]
        sure = [r for r in mine if "error" in r and r["truth_se"] <= _SURE]
        if not sure:
            continue
        errors = [abs(r["error"]) for r in sure]
        alone = [abs(r["alone"]) for r in sure if math.isfinite(r["alone"])]
        told = [(abs(r["error"]), r["spread"]) for r in sure if r["spread"] is not None]
        yield (
            f"ratio, {family}: |error| median {statistics.median(errors):.2g} digits, worst "
            f"{max(errors):.2g}; within {_CLOSE:g} on {sum(e <= _CLOSE for e in errors)} of "
            f"{len(sure)}; below twice its spread on {sum(e < 2.0 * s for e, s in told)} of "
            f"{len(told)}. It warned of {sum(bool(r['warning']) for r in sure)}. Presuming that C "
            f"does not depend on the recogniser is off by {statistics.median(alone):.2g} digits in "
            f"the median, {max(alone):.2g} at most."
        )
        left = len(mine) - len(sure)
        if left:
            yield (
                f"{left} more, {family}, are left out: the samplers of the truth do not agree, or "
                f"only to more than {_SURE:g} digits."
            )


RECOGNISED = Bench(
    name="recognised",
    about="P under laws that are recognised and never sampled: ratio against truths of its parts",
    columns=(
        Column("family", "family"),
        Column("problem", "problem"),
        Column("recognised", "P(r > 0)", "power"),
        Column("truth", "truth", "power", "truth_se"),
        Column("error", "error", "error"),
        Column("spread", "foretold", "digits"),
        Column("alone", "if independent", "error"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
    ),
    run=run,
    conclude=conclude,
    sections=("family",),
)
