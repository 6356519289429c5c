"""Whether estimators say how far off they are, on small trained networks with several modes."""

import math
import statistics
from collections.abc import Iterator

import torch

from workbench.bench import own_nets
from workbench.bench.base import Bench, Choice, Column, Report, Row
from workbench.errors import BadInput
from workbench.estimators import Conditioned, Estimator, Importance
from workbench.iteration import Budget
from workbench.problem import Problem

METHODS: dict[str, Estimator] = {
    "conditioned": Conditioned(),
    "conditioned, fitted": Conditioned(search="fitted"),
    "importance": Importance(),
}
BUDGET = 20_000
_QUICK_KINDS, _QUICK_DRAWS = ("product, below", "exclusive or"), 100_000
_TIMES = 2.0  # the error foretold, which an honest error seldom exceeds


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem and estimator."""
    yield from choose(Choice(), quick, report)


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """The rows of a part: `problems` are kinds of networks, `seeds` how many of each.

    Raises:
        BadInput: for a kind or method that is not there.
    """
    kinds = {kind.name: kind for kind in own_nets.KINDS}
    names = choice.problems or (_QUICK_KINDS if quick else tuple(kinds))
    methods = choice.methods or tuple(METHODS)
    for asked, there in ((names, kinds), (methods, METHODS)):
        for name in asked:
            if name not in there:
                raise BadInput(f"nothing here is called {name!r}: use some of {'; '.join(there)}")
    seeds = range(1, 1 + (choice.seeds or (1 if quick else len(own_nets.SEEDS))))
    works = [(kinds[name], seed) for seed in seeds for name in names]
    for i, (kind, seed) in enumerate(works):
        report(i / len(works), f"{kind.name}, seed {seed}")
        draws = _QUICK_DRAWS if quick else own_nets.DRAWS
        problem = own_nets.drawn(own_nets.made(kind, seed), kind.widened, draws)
        for name in methods:
            yield measured(problem, name, choice.budget or BUDGET)


@torch.no_grad()
def measured(problem: Problem, name: str, budget: int) -> Row:
    """The error of one method beside the one that it foretells; `times` is their ratio.

    The truth's own standard error counts with the one foretold. An error that is stated in log P
    is one standard error.
    """
    truth = problem.truth
    assert truth is not None
    estimate = METHODS[name](problem, Budget(budget))
    row: Row = {
        "problem": problem.name, "truth": truth.log10_p, "truth_se": truth.se_log10,
        "method": name, "forwards": estimate.cost.forwards, "warning": estimate.warning,
        "warned": "yes" if estimate.warning else "",
    }  # fmt: skip
    told = estimate.indicator if estimate.log10_err is None else estimate.log10_err
    if not math.isfinite(truth.log10_p):
        return row
    error = estimate.log10_p - truth.log10_p
    row |= {"error": error, "foretold": told}
    if told is not None and math.isfinite(told):
        row["times"] = abs(error) / math.hypot(told, truth.se_log10)
    return row


def conclude(rows: list[Row]) -> Iterator[str]:
    """Errors and claims by method, apart what was warned of."""
    for name in dict.fromkeys(r["method"] for r in rows):
        known = [r for r in rows if r["method"] == name and "error" in r]
        quiet = [r for r in known if not r["warning"]]
        if quiet:
            errors = [abs(r["error"]) for r in quiet]
            times = [r["times"] for r in quiet if "times" in r]
            text = (
                f"{name}: {len(quiet)} networks, |error| median {statistics.median(errors):.2g} "
                f"digits, worst {max(errors):.2g}"
            )
            if times:
                text += (
                    f"; within {_TIMES:g} times the error foretold on "
                    f"{sum(t <= _TIMES for t in times)} of {len(times)}, at worst {max(times):.2g} "
                    "times it"
                )
            yield f"{text}."
        if len(known) > len(quiet):
            worst = max(abs(r["error"]) for r in known if r["warning"])
            yield f"{name} warned of {len(known) - len(quiet)}, off by {worst:.2g} at most."
        spent = [r["forwards"] for r in known]
        if spent:
            yield f"{name}: forwards, median {statistics.median(spent):,.0f}, most {max(spent):,}."


CLAIMS = Bench(
    name="claims",
    about="the error that an estimate foretells beside its error, on small trained networks",
    columns=(
        Column("problem", "network"),
        Column("truth", "truth", "power", "truth_se"),
        Column("method", "method"),
        Column("error", "error", "error"),
        Column("foretold", "foretold", "digits"),
        Column("times", "error / foretold", "small"),
        Column("warned", "warned"),
        Column("forwards", "forwards", "count"),
    ),
    run=run,
    conclude=conclude,
    sections=("problem",),
    choose=choose,
)
