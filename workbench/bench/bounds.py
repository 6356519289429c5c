"""How far the sound bounds get on every reference problem."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from workbench import catalogue
from workbench.bench.base import Bench, Column, Report, Row
from workbench.estimators import ChangeOfMeasure, Upper
from workbench.iteration import Budget


@dataclass(frozen=True)
class Scale:
    """Problems (all where None); forward-equivalents of the cells, forwards of the shifted D."""

    problems: tuple[str, ...] | None
    cells: int
    draws: int


FULL = Scale(None, 1_000_000, 100_000)
QUICK = Scale(
    ("A_d10_1e-12", "B_w32_h2_1e-3", "C_digits_p1_s10", "D_mintree_1e-7"), 100_000, 20_000
)


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a problem: what is proved above and below it."""
    scale = QUICK if quick else FULL
    names = scale.problems or catalogue.names()
    for i, name in enumerate(names):
        report(i / len(names), name)
        problem = catalogue.load(name)
        upper = Upper()(problem, Budget(scale.cells))
        shifted = ChangeOfMeasure()(problem, Budget(scale.draws))
        yield {
            "problem": name,
            "truth": None if problem.truth is None else problem.truth.log10_p,
            "upper": upper.log10_p,
            "lower": upper.info["log10_lower"],
            "shifted": shifted.log10_p,
            "cells": upper.info["cells"],
            "forwards": upper.cost.forwards,
            "seconds": upper.cost.seconds,
            "note": "vacuous" if upper.warning else "",
        }


def conclude(rows: list[Row]) -> Iterator[str]:
    """How many bounds say anything, and how much."""
    told = [r for r in rows if r["note"] != "vacuous"]
    yield (
        f"`upper` proves something on {len(told)} of {len(rows)} problems, `lower` on "
        f"{sum(math.isfinite(r['lower']) for r in rows)}, `change_of_measure` on "
        f"{sum(math.isfinite(r['shifted']) for r in rows)} (that one with 97.5% confidence each)."
    )
    broken = [
        r["problem"]
        for r in rows
        if r["truth"] is not None
        and not max(r["lower"], r["shifted"]) - 1e-9 <= r["truth"] <= r["upper"] + 1e-9
    ]
    yield f"Truth outside its bounds: {', '.join(broken) or 'never'}."


BOUNDS = Bench(
    name="bounds",
    about="sound upper and lower bounds on all reference problems: branch and bound, shifted D",
    columns=(
        Column("problem", "problem"),
        Column("truth", "truth", "power"),
        Column("upper", "upper", "power"),
        Column("lower", "lower", "power"),
        Column("shifted", "lower, shifted D", "power"),
        Column("cells", "cells", "count"),
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
        Column("note", ""),
    ),
    run=run,
    conclude=conclude,
)
