"""Cells of Python that make a screen's numbers again."""

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.adversaries.lm import LMAdversary
from workbench.errors import WorkbenchError
from workbench.experiments.recipe import call
from workbench.types import Pace
from workbench.views.roster import roster
from workbench.views.rows import Row


def place(source: str, moved: Mapping[str, Any]) -> str:
    """The problem under the sliders.

    Args:
        source: what `wb.load` takes.
        moved: {slider: where it stands}, of those that are not at their usual place.
    """
    words = [repr(source), *(f"{k}={v!r}" for k, v in moved.items())]
    return (
        "import workbench as wb\nfrom workbench.views.position import Position\n\n"
        f"problem = Position({', '.join(words)}).problem\nproblem"
    )


def estimates(rows: Iterable[Row], settings: Mapping[str, Any], budget: int, seed: int) -> str:
    """The rows that there are, each by its own estimator, budget and seed; after `place`."""
    lines = []
    for row in rows:
        if row.log10_p is None:
            continue
        entry = roster()[row.key]
        asked = f", wb.Budget({budget:_}), wb.Rng({seed})" if entry.pace is Pace.ASKED else ""
        try:
            made = call(entry.build(settings))
        except WorkbenchError:  # a setting that no estimator takes: its row says so
            continue
        lines.append(f"    {entry.title!r}: {made}(problem{asked}),")
    return "\n".join(["estimates = {", *lines, "}", "estimates"])


def defects(source: str, estimator: Any, probes: int) -> str:
    """What an estimate owes, law by law, and the heat flow."""
    return (
        "import workbench as wb\nfrom workbench.coherence import Defect, measure\n\n"
        f"problem, estimator = wb.load({source!r}), {call(estimator)}\n"
        f"found = measure(problem, estimator, probes={probes or None})\n"
        "{d.name: d.reason or d.digits for d in found if isinstance(d, Defect)}"
    )


def search(source: str, adversary: Any, seed: int, check: int | None = None) -> str:
    """An adversary's search, from its first step to its last.

    Args:
        check: draws of the check, where not as many as usual.
    """
    more = ""
    if isinstance(adversary, LMAdversary):
        more = (
            "from workbench.adversaries.lm import LMAdversary\n"
            f"from workbench.adversaries.sources import {type(adversary.source).__name__}\n"
        )
    asked = "" if check is None else f", check={check}"
    return (
        f"import workbench as wb\n{more}\n"
        f"search = {call(adversary)}\n"
        f"attack = search(wb.load({source!r}), rng={seed}{asked})\n"
        "attack"
    )


def training(name: str, settings: Mapping[str, Any], seed: int) -> str:
    """A training, from its first step to its last."""
    return (
        "from workbench.experiments import lessons\n\n"
        f"run = lessons.begin({name!r}, {dict(settings)!r}, {seed})\n"
        "for _ in run.walk():\n"
        "    pass\n"
        "run.rows[-1]"
    )
