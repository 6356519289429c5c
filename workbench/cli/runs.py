"""`workbench runs` and `workbench resume`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import files
from workbench.cli.estimate import drive
from workbench.cli.frame import AsJson, Debug
from workbench.cli.options import TrainedCard
from workbench.cli.plain import print_json
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

_FORMATS = (".csv", ".parquet")


def runs(
    place: Annotated[Path, typer.Argument(metavar="DIR", help="A run, or a folder of runs.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the metrics of all whole runs as .csv or .parquet, a row a step.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The runs in a folder: what each is, how far it came, and whether it is whole."""
    from workbench.bench import Column
    from workbench.experiments import shelf

    if out is not None:
        files.check(out, _FORMATS)
    rows = shelf(place)
    if out is not None:
        _write(out, rows)
    if as_json:
        print_json({"runs": rows})
        return
    rows = [{**row, "run": _short(row["run"], place)} for row in rows]
    whole = [_cells(row) for row in rows if row["standing"] != "damaged"]
    columns = [
        Column("run", "run"), Column("title", "what"), Column("standing", "standing"),
        Column("steps", "steps", "count"), Column("log10_p", "log10 P", "power", "log10_err"),
        Column("seconds", "seconds", "seconds"),
    ]  # fmt: skip
    if whole:
        say(table(columns, whole))
    damaged = [(row["run"], row["reason"]) for row in rows if row["standing"] == "damaged"]
    if damaged:
        say(grid(damaged))
    if not rows:
        say(f"There are no runs in {place}.")


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    from workbench.experiments import Folder, table_csv, table_parquet

    whole = [row["run"] for row in rows if row["standing"] != "damaged"]
    steps = [{"run": run, **step} for run in whole for step in Folder.look(run).rows]
    if path.suffix == ".parquet":
        files.write(path, table_parquet(steps))
    else:
        files.write(path, table_csv(steps))


def _short(run: str, place: Path) -> str:
    """A run's folder as seen from the folder that was asked about."""
    path = Path(run)
    return path.name if path == place else str(path.relative_to(place))


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    last = row["metrics"]
    log10_p = last.get("referee", last.get("log10_p"))  # a training is judged by its referee
    return {**row, "log10_p": log10_p, "log10_err": last.get("log10_err")}


def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    out: TrainedCard = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Go on with a run from its last checkpoint, as if it had never been stopped.

    Ctrl-C saves the last finished step, prints what is known so far and exits with 130.
    """
    from workbench.cli import attack, attack_lm, hush, train
    from workbench.experiments import Run

    ways = {
        "attack": attack.drive, "attack_lm": attack_lm.drive, "train": train.drive,
        "hush": hush.drive,
    }  # fmt: skip
    train.check_trained(out)
    with Run.resume(folder) as run:
        kind = run.kind.name
        if out is not None and kind not in ("train", "hush"):
            raise BadInput(f"--out writes what a training made of M; this run is an {kind}")
        kept = {} if out is None else {"out": out}
        ways.get(kind, drive)(run.subject, run.walk(), as_json, **kept)
