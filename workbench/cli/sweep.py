"""`workbench sweep`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import files, settings
from workbench.cli.frame import FAILED, INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import Device, Forwards, Problems, Seconds, Seeds, refuse_both, whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

USUAL = "conditioned,importance,subset"


def sweep(
    problems: Problems,
    names: Annotated[
        str | None,
        typer.Option("--estimators", metavar="A,B,C", help=f"Which ones; {USUAL} by default."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=V,W",
            help="A setting of the one estimator, with each of these values; repeatable.",
        ),
    ] = None,
    budget: Forwards = None,
    seconds: Seconds = None,
    seeds: Seeds = 1,
    device: Device = None,
    workers: Annotated[int, whole("--workers", "W", "Local processes.")] = 2,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, in their place."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option("--runs", metavar="DIR", help="Keep every run in a folder, and go on there."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the table as .csv or .parquet."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Many estimates side by side: on processes of this machine, or on a Dask cluster.

    With --set, every combination of the values that are given. With --runs each is kept in a folder
    of its own, and a sweep that was stopped goes on there: what is done is not done again. Exits
    with 1 where a row has no answer; that an estimator does not serve a problem counts only where
    estimators are named.
    """
    from workbench import catalogue, experiments
    from workbench.device import named
    from workbench.experiments import export
    from workbench.experiments.workers import workers as hired

    if seeds < 1:
        raise BadInput(f"--seeds must be at least 1, got {seeds}")
    if out is not None:
        files.check(out, (".csv", ".parquet"))
    asked = dict.fromkeys(name.strip() for name in (names or USUAL).split(","))
    chosen = [settings.build(name, []).name for name in asked]
    varied = _varied(chosen, assignments or [])
    sources = list(dict.fromkeys(problems))
    for source in sources:
        catalogue.load(source)  # what is none is told once, before anything runs
    refuse_both(device, runs, "--runs")
    if device is not None:
        named(device)
    limit = settings.budget_of(budget, seconds)
    configs = experiments.grid(
        problem=sources, estimator=chosen, settings=varied, seed=range(seeds)
    )
    for config in configs:
        config |= {"forwards": limit.forwards, "seconds": limit.seconds}
        if device is not None:
            config["device"] = device
        if runs is not None:
            parts = config["problem"], _method(config, config["settings"]), config["seed"]
            place = "_".join(map(str, parts)).replace("/", "_")
            config["run"] = str((runs / place).resolve())
    rows: list[dict[str, Any]] = []
    interrupted = False
    try:
        with hired(workers, scheduler) as team, Bar(sources[0]) as bar:
            rows.extend(experiments.sweep(experiments.estimated, configs, team, bar.update))
    except KeyboardInterrupt:
        interrupted = True
    if out is not None:
        parquet = out.suffix == ".parquet"
        content = export.table_parquet(rows) if parquet else export.table_csv(rows).encode()
        files.write(out, content)
    if as_json:
        print_json({"rows": rows, "interrupted": interrupted})
    else:
        _show([{**row, "method": _method(row, varied[0])} for row in rows])
    if interrupted:
        warn("stopped early; with --runs the same command goes on.")
        raise typer.Exit(INTERRUPTED)
    if experiments.unanswered(rows, names is not None):
        raise typer.Exit(FAILED)


def _varied(estimators: list[str], assignments: list[str]) -> list[dict[str, Any]]:
    """Every combination of the values that `key=value,value` texts give to settings.

    Raises:
        BadInput: on several estimators, or as `settings.build`.
    """
    from workbench.experiments import grid

    if assignments and len(estimators) != 1:
        raise BadInput("--set is of one estimator: name it by --estimators")
    axes: dict[str, list[Any]] = {}
    for text in assignments:
        key, equals, values = text.partition("=")
        each = [f"{key}={value}" for value in values.split(",")] if equals else [text]
        cls = settings.estimator_class(estimators[0])
        for told in each:
            for name, value in settings.values_of(cls, [told]).items():
                axes.setdefault(name, []).append(value)
    found = grid(**axes)
    for some in found:
        settings.estimator_class(estimators[0])(**some)  # what is out of range is told at once
    return found


def _method(row: dict[str, Any], varied: Iterable[str]) -> str:
    """The estimator, with the settings that were asked for."""
    told = ", ".join(f"{key}={row['settings'][key]}" for key in varied)
    return f"{row['estimator']}[{told}]" if told else row["estimator"]


def _show(rows: list[dict[str, Any]]) -> None:
    from workbench.bench import Column
    from workbench.experiments import beware

    done = [row for row in rows if "log10_p" in row]
    columns = [
        Column("problem", "problem"), Column("method", "estimator"), Column("seed", "seed"),
        Column("log10_p", "estimate", "power", "log10_err"),
        Column("forwards", "forwards", "count"), Column("seconds", "seconds", "seconds"),
    ]  # fmt: skip
    if done:
        say(table(columns, done))
    doubts = [(_named(r), f"beware: {beware(r)}") for r in done if beware(r)]
    refused = [(_named(r), r["reason"]) for r in rows if "reason" in r]
    if doubts or refused:
        say(grid([*doubts, *refused]))


def _named(row: dict[str, Any]) -> str:
    return f"{row['problem']} {row['method']} {row['seed']}"
