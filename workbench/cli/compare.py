"""`workbench compare`."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench import numbers
from workbench.cli import files, settings
from workbench.cli.estimate import truth_text
from workbench.cli.extras import need_views
from workbench.cli.frame import FAILED, INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import Device, Forwards, Problems, Seconds, Seeds
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.bench import Column

_FORMATS = (".csv", ".parquet", ".py")


def compare(
    problems: Problems,
    names: Annotated[
        str | None,
        typer.Option("--estimators", metavar="A,B,C", help="Which ones; all by default."),
    ] = None,
    budget: Forwards = None,
    seconds: Seconds = None,
    seeds: Seeds = 1,
    device: Device = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write all runs as .csv or .parquet, or as .py the cells that make them again.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="OUT.HTML", help="Write a page that needs no network."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Set estimators side by side on one problem or several: truth, error in digits, cost.

    With several seeds: medians, spread, how often the 95% intervals hold the truth, and W10, the
    forwards that an error of 10% would cost. Exits with 1 where an estimator failed; that one does
    not serve a problem counts only where estimators are named.
    """
    from workbench import catalogue, estimators, experiments

    if seeds < 1:
        raise BadInput(f"--seeds must be at least 1, got {seeds}")
    if plot is not None:
        need_views("a plot")
        files.check(plot)
    if out is not None:
        files.check(out, _FORMATS)
    known = [cls.name for cls in estimators.ALL]
    methods = [settings.build(name.strip(), []) for name in (names or ",".join(known)).split(",")]
    sources = list(dict.fromkeys(problems))
    triples = experiments.told_apart(catalogue.load(source) for source in sources)
    if device is not None:
        triples = [triple.to(device=device) for triple in triples]
    limit = settings.budget_of(budget, seconds)
    rows: list[dict[str, Any]] = []
    interrupted = False
    with Bar(triples[0].name) as bar:
        try:
            for row in experiments.compare(triples, methods, limit, range(seeds), bar.update):
                rows.append(row)
        except KeyboardInterrupt:
            interrupted = True
    truths = {triple.name: experiments.truth_row(triple) for triple in triples}
    summary = experiments.summarise(rows)
    if plot is not None and rows:
        files.write(plot, importlib.import_module("workbench.views.compare_page").page(rows))
    if out is not None:
        _write(out, rows, experiments.recipes(sources, methods, limit, range(seeds), device), limit)
    if as_json:
        print_json(
            {
                "truths": truths,
                "budget": {"forwards": limit.forwards, "seconds": limit.seconds},
                "seeds": seeds,
                "rows": rows,
                "summary": summary,
                "interrupted": interrupted,
            }
        )
    else:
        for name, truth in truths.items():
            mine = [row for row in summary if row["problem"] == name]
            _show(name, truth, mine, seeds, names is not None)
    if interrupted:
        warn("stopped early; these are the estimates so far.")
        raise typer.Exit(INTERRUPTED)
    if experiments.unanswered(rows, names is not None):
        raise typer.Exit(FAILED)


def _write(path: Path, rows: list[dict[str, Any]], script: str, limit: Any) -> None:
    from workbench.experiments import export

    if path.suffix == ".parquet":
        files.write(path, export.to_parquet(rows, limit))
    else:
        files.write(path, script if path.suffix == ".py" else export.to_csv(rows, limit))


def _show(
    name: str, truth: dict[str, Any] | None, summary: list[dict[str, Any]], seeds: int, asked: bool
) -> None:
    """One problem's table, then the doubts; of what does not serve it why, where it was asked."""
    from workbench.experiments import beware

    if truth is None:
        say(f"{name}: no reference value")
    else:
        say(f"{name}: truth {truth_text(truth['log10_p'], truth['se_log10'])}, {truth['method']}")
    answered = [_cells(row) for row in summary if "log10_p" in row]
    if answered:
        say(table(_columns(seeds, truth is not None), answered))
    width = max((len(row["estimator"]) for row in summary), default=0)
    told = [(row["estimator"], beware(row)) for row in summary if "log10_p" in row]
    doubts = [(estimator, f"beware: {said}") for estimator, said in told if said]
    if doubts:
        say(grid(doubts, width))
    silent = [row for row in summary if "reason" in row]
    spared = [] if asked else [row["estimator"] for row in silent if row["refused"]]
    said = [(r["estimator"], r["reason"]) for r in silent if r["estimator"] not in spared]
    if said:
        say(grid(said, width))
    if spared:
        say(f"Not for this problem: {', '.join(spared)} (--estimators NAME says why).")


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """The summary with the texts that stand for several of its numbers."""
    err = row["log10_err"]
    held = f"{row['covered']} of {row['intervals']}" if row["intervals"] else numbers.UNKNOWN
    worth = None if row["w10"] is None else numbers.count(row["w10"])
    if row["mean_of_truth"] is not None:
        worth = f"mean {row['mean_of_truth']:.2g} P"
    return {
        **row,
        "spread": numbers.span(row["log10_low"], row["log10_high"]),
        "coverage": held,
        "digits_of": min(err, 1.0) if err else None,
        "worth": worth,
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
        *([Column("worth", "W10")] if seeds > 1 else []),
    ]
