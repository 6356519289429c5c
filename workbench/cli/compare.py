"""`workbench compare`."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli import numbers, settings
from workbench.cli.estimate import Forwards, ProblemName, Seconds, truth_text
from workbench.cli.extras import need_views
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.bench import Column


def compare(
    problem: ProblemName,
    names: Annotated[
        str | None,
        typer.Option("--estimators", metavar="A,B,C", help="Which ones; all by default."),
    ] = None,
    budget: Forwards = None,
    seconds: Seconds = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="K", parser=settings.whole, help="Repeats, of seeds 0 to K - 1."
        ),
    ] = 1,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="OUT.HTML", help="Write a figure that needs no network."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Set estimators side by side on one problem: truth, error in digits, cost.

    With several seeds: medians, spread, and how often the 95% intervals hold the truth.
    """
    from workbench import catalogue, estimators, experiments

    if seeds < 1:
        raise BadInput(f"--seeds must be at least 1, got {seeds}")
    if plot is not None:
        need_views("a plot")
        if not plot.resolve().parent.is_dir():
            raise BadInput(f"the folder of {str(plot)!r} does not exist: make it first")
    known = [cls.name for cls in estimators.ALL]
    methods = [settings.build(name.strip(), []) for name in (names or ",".join(known)).split(",")]
    triple = catalogue.load(problem)
    limit = settings.budget_of(budget, seconds)
    rows: list[dict[str, Any]] = []
    interrupted = False
    with Bar(triple.name) as bar:
        try:
            for row in experiments.compare(triple, methods, limit, range(seeds), bar.update):
                rows.append(row)
        except KeyboardInterrupt:
            interrupted = True
    truth, summary = experiments.truth_row(triple), experiments.summarise(rows)
    if plot is not None and rows:
        _write(plot, rows, truth)
    if as_json:
        print_json(
            {
                "problem": triple.name,
                "truth": truth,
                "budget": {"forwards": limit.forwards, "seconds": limit.seconds},
                "seeds": seeds,
                "rows": rows,
                "summary": summary,
                "interrupted": interrupted,
            }
        )
    else:
        _show(triple.name, truth, summary, seeds)
    if interrupted:
        warn("stopped early; these are the estimates so far.")
        raise typer.Exit(INTERRUPTED)


def _show(
    name: str, truth: dict[str, Any] | None, summary: list[dict[str, Any]], seeds: int
) -> None:
    if truth is None:
        say(f"{name}: no reference value")
    else:
        say(f"{name}: truth {truth_text(truth['log10_p'], truth['se_log10'])}, {truth['method']}")
    answered = [_cells(row, truth) for row in summary if "log10_p" in row]
    if answered:
        say(table(_columns(seeds, truth is not None), answered))
    width = max((len(row["estimator"]) for row in summary), default=0)
    refused = [(row["estimator"], row["reason"]) for row in summary if "reason" in row]
    if refused:
        say(grid(refused, width))


def _cells(row: dict[str, Any], truth: dict[str, Any] | None) -> dict[str, Any]:
    """The summary with the texts that stand for several of its numbers."""
    err = row["log10_err"]
    held = f"{row['covered']} of {row['intervals']}" if row["intervals"] else numbers.UNKNOWN
    return {
        **row,
        "spread": numbers.span(row["log10_low"], row["log10_high"]),
        "coverage": held,
        "digits_of": min(err, 1.0) if err else None,
    }


def _columns(seeds: int, known: bool) -> "list[Column]":
    from workbench.bench import Column

    several = [Column("spread", "range")] if seeds > 1 else []
    errors = [Column("error", "error", "error", "digits_of")] if known else []
    covered = [Column("coverage", "covered")] if known else []
    return [
        Column("estimator", "estimator"),
        Column("kind", "kind"),
        Column("log10_p", "median" if seeds > 1 else "estimate", "power", "log10_err"),
        *several,
        Column("log10_err", "claimed", "digits"),
        *errors,
        *covered,
        Column("forwards", "forwards", "count"),
        Column("seconds", "seconds", "seconds"),
    ]


def _write(path: Path, rows: list[dict[str, Any]], truth: dict[str, Any] | None) -> None:
    """A figure in a file of its own, plotly.js included."""
    figure = importlib.import_module("workbench.views.plots").comparison(rows, truth)
    write_html = importlib.import_module("plotly.io").write_html
    write_html(figure, path, include_plotlyjs=True, full_html=True)
