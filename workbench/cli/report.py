"""`workbench report`."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli import files
from workbench.cli.extras import need_views
from workbench.cli.frame import AsJson, Debug
from workbench.cli.plain import print_json
from workbench.cli.tables import say


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="An .html file; without it, DIR.html."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a run as one HTML page: findings, curves, problem, settings, provenance."""
    need_views("a report")
    place = folder.resolve()  # "." has no name of its own
    target = place.parent / f"{place.name}.html" if out is None else out
    files.check(target, (".html",))
    files.write(target, importlib.import_module("workbench.views.report").page(folder))
    if as_json:
        print_json({"run": str(folder), "report": str(target)})
    else:
        say(f"The report is {target}.")
