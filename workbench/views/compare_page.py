"""A comparison as one HTML page that needs no network."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from workbench.experiments import Row
from workbench.views import compare_plots, plots
from workbench.views.html_page import page as html_page
from workbench.views.html_page import plot


def page(rows: Sequence[Row]) -> str:
    """The figures of a comparison: estimates and errors of every problem, then the claims.

    Args:
        rows: of `workbench.experiments.compare`, problem by problem.
    """
    parts, first = [], True
    for name, group in groupby(rows, key=lambda row: row["problem"]):
        mine = list(group)
        truth, se = mine[0]["truth"], mine[0]["truth_se"]
        parts.append(f"<h2>{escape(name)}</h2>")
        known = None if truth is None else {"log10_p": truth, "se_log10": se}
        parts.append(plot(plots.comparison(mine, known), first))
        first = False
        if truth is not None:
            runs = compare_plots.by_estimator(mine)
            parts += ["<h3>Error against forward passes</h3>"]
            parts.append(plot(compare_plots.error_against_forwards(runs, truth), first))
    every = compare_plots.by_estimator(rows)
    parts += [
        "<h2>Claimed against actual error</h2>",
        plot(compare_plots.calibration(every), first),
    ]
    return html_page("Comparison", parts)
