"""The knob from propagation to integration on one problem: 0 to 3 directions, then lines."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.estimators import Estimate, Slices
from workbench.html import power
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.views.style import Figure, axis, colour, ink, layout

_NODES = {0: 16, 1: 16, 2: 10, 3: 7}
_BUDGET = Budget(2_000_000)
LINES = "lines"


@dataclass(frozen=True)
class Rung:
    """One answer of the knob: "0" to "3" directions, or "lines"."""

    name: str
    log10_p: float
    indicator: float | None
    forwards: int


def rungs(problem: Problem) -> Iterator[Rung]:
    """The answers of `slices` with ever more directions, as far as they differ."""
    for directions, nodes in _NODES.items():
        try:
            estimate = Slices(directions=directions, nodes=nodes)(problem, _BUDGET)
        except WorkbenchError:
            return
        if estimate.info.get("directions", 0) == directions:
            yield rung(str(directions), estimate)


def rung(name: str, estimate: Estimate) -> Rung:
    """An estimate as an answer of the knob."""
    return Rung(name, estimate.log10_p, estimate.indicator, estimate.cost.forwards)


def figure(
    found: Sequence[Rung], truth: tuple[float, float] | None, dark: bool = False, height: int = 230
) -> Figure:
    """log10 P against the directions, each with its indicator; the truth as a line."""
    shown = [r for r in found if math.isfinite(r.log10_p)]
    told = [f"{r.log10_p:.3f}, {r.forwards:,} forward passes" for r in shown]
    trace = {
        "type": "scatter", "mode": "lines+markers", "x": [r.name for r in shown],
        "y": [r.log10_p for r in shown], "text": told,
        "line": {"color": colour("slices"), "width": 2}, "marker": {"size": 9},
        "error_y": {"type": "data", "array": [r.indicator or 0.0 for r in shown]},
        "hovertemplate": "%{x}: log10 P = %{text}<extra></extra>",
    }  # fmt: skip
    shapes = []
    if truth is not None:
        shapes = [{
            "type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": truth[0], "y1": truth[0],
            "line": {"color": ink(dark), "width": 1.6},
        }]  # fmt: skip
    return {
        "data": [trace],
        "layout": layout(
            dark, height, shapes=shapes,
            xaxis=axis(
                dark, type="category", title={"text": "directions integrated exactly, then lines"}
            ),
            yaxis=axis(dark, title={"text": "log<sub>10</sub> P"}, nticks=6),
        ),
    }  # fmt: skip


def sentence(found: Sequence[Rung], truth: tuple[float, float] | None) -> str:
    """What the first and the last answer say, and how far they are from the truth."""
    if not found:
        return "Slices of D cannot be propagated here."
    said = []
    for r in (found[0], found[-1]) if len(found) > 1 else found:
        name = "lines" if r.name == LINES else f"{r.name} directions"
        off = ""
        if truth is not None and math.isfinite(r.log10_p):
            off = f", {abs(r.log10_p - truth[0]):.2f} digits from the truth"
        said.append(f"{name}: <b>{power(r.log10_p)}</b>{off}")
    return (
        "Every direction that is integrated exactly leaves less to presume. " + "; ".join(said)
        + ". Bars: how far off each answer may be, judging by its own checks."
    )  # fmt: skip
