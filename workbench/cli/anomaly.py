"""`workbench anomaly`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli import files, settings
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import Seeds, assigned, whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.anomaly.detectors import Detector

_FORMATS = (".csv", ".parquet")


def anomaly(
    place: Annotated[
        str,
        typer.Argument(
            metavar="PLACE",
            help="A testbed (backdoor, tampering, ramp, needle, mintree), or the catalogue name "
            "or the path of the card of a problem.",
        ),
    ],
    names: Annotated[
        str | None,
        typer.Option("--detector", "-d", metavar="A,B", help="Which ones; all by default."),
    ] = None,
    assignments: Annotated[list[str] | None, assigned("detector")] = None,
    seeds: Seeds = 1,
    inputs: Annotated[int, whole("--inputs", "N", "Of a kind and seed.")] = 250,
    judged: Annotated[
        Path | None,
        typer.Option(
            "--judge",
            metavar="FILE.CSV",
            help="Score these inputs, one a line, instead of labelled ones.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write all rows as .csv or .parquet."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Does it happen for the usual reason? Detectors on a testbed, a problem, or given inputs.

    On a testbed: the area under the ROC curve by which each tells apart inputs on which the
    behaviour occurs for another reason. On a problem: its failures, of unknown reason, are told
    from draws of D. With --judge: the score of every input, and the share of normal inputs that
    score less.
    """
    from workbench import catalogue
    from workbench.anomaly import TESTBEDS, drawn, failing, make_testbed, scored, summary, survey
    from workbench.experiments.csv_numbers import read_rows

    if seeds < 1 or inputs < 2:
        raise BadInput(f"it takes a seed and two inputs at least, got {seeds} and {inputs}")
    if judged is not None and seeds != 1:
        raise BadInput("--judge scores every input once: leave out --seeds")
    if out is not None:
        files.check(out, _FORMATS)
    methods = _methods(names, assignments or [])
    asked = None if judged is None else read_rows(judged)
    problem = None if place in TESTBEDS else catalogue.load(place)
    rows: list[dict[str, Any]] = []
    interrupted = False
    with Bar(place) as bar:
        try:
            if asked is None:
                make = (
                    partial(make_testbed, place) if problem is None else partial(failing, problem)
                )
                rows.extend(survey(partial(make, inputs=inputs), methods, range(seeds), bar.update))
            elif problem is None:
                bed = make_testbed(place, inputs=inputs)
                told = scored(bed.problem, bed.trusted, bed.normal, asked, methods, bar.update)
                rows.extend(told)
            else:
                trusted, normal = drawn(problem, inputs)
                rows.extend(scored(problem, trusted, normal, asked, methods, bar.update))
        except KeyboardInterrupt:
            interrupted = True
    summed = summary(rows) if asked is None else None
    if out is not None:
        _write(out, rows)
    if as_json:
        print_json({
            "place": place, "seeds": seeds, "inputs": inputs, "rows": rows,
            "summary": summed, "interrupted": interrupted,
        })  # fmt: skip
    elif rows:
        answered = [row for row in rows if "reason" not in row] if summed is None else summed
        _show(answered, scores=asked is not None)
        _excuse({row["detector"]: row["reason"] for row in rows if "reason" in row}, names)
    if interrupted:
        warn("stopped early; these are the rows so far.")
        raise typer.Exit(INTERRUPTED)


def _methods(names: str | None, assignments: list[str]) -> "dict[str, Detector]":
    from workbench.anomaly import detectors

    chosen = [
        name.strip() for name in (names or ",".join(c.name for c in detectors.ALL)).split(",")
    ]
    if assignments and len(chosen) != 1:
        raise BadInput("--set is of one detector: name it by --detector")
    return {name: settings.build_detector(name, assignments) for name in chosen}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    from workbench.experiments import export

    made = export.table_parquet if path.suffix == ".parquet" else export.table_csv
    files.write(path, made(rows))


def _excuse(refused: dict[str, str], names: str | None) -> None:
    """Which detectors do not serve: why, where they were asked for by name."""
    if refused and names is None:
        say(f"Not for this problem: {', '.join(refused)} (--detector NAME says why).")
    elif refused:
        say(grid(list(refused.items())))


def _show(rows: list[dict[str, Any]], scores: bool) -> None:
    if not rows:
        return
    from workbench.bench import Column
    from workbench.bench.anomaly import AREAS

    if not scores:
        say(table(AREAS, rows, ("testbed", "normal")))
        return
    columns = (
        Column("input", "input", "count"),
        Column("margin", "margin", "small"),
        Column("detector", "detector"),
        Column("score", "score", "small"),
        Column("above", "normal ones below", "share"),
    )
    say(table(columns, sorted(rows, key=lambda row: row["input"]), ("input", "margin")))
