"""`workbench bench`."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import settings
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput
from workbench.plain import plain


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which one; without it, list them.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small part of it, in seconds.", show_default=False)
    ] = False,
    problems: Annotated[
        str | None, typer.Option("--problems", metavar="A,B", help="Only these problems.")
    ] = None,
    methods: Annotated[
        str | None, typer.Option("--methods", metavar="A,B", help="Only these methods.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget", metavar="FORWARDS", parser=settings.whole, help="Forward passes a run."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="K", parser=settings.whole, help="Runs of each method."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Append each row as a line of JSON at once."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure the workbench: against ground truth, published figures, or its own targets.

    A bench over problems and methods (truth) can be run in parts.
    """
    from workbench import bench as benches

    if seeds is not None and seeds < 1:
        raise BadInput(f"--seeds must be at least 1, got {seeds}")
    choice = benches.Choice(_names(problems), _names(methods), budget, seeds)

    if name is None:
        listed = [(b.name, b.about) for b in benches.ALL]
        if as_json:
            print_json({"benches": [{"name": n, "about": a} for n, a in listed]})
        else:
            say(grid(listed))
        return
    chosen = benches.find(name)
    if choice == benches.Choice():
        measured = chosen.run
    elif chosen.choose is not None:
        measured = partial(chosen.choose, choice)
    else:
        raise BadInput(f"the bench {name!r} has no parts to choose")
    rows: list[dict[str, Any]] = []
    interrupted = False
    with Bar(chosen.name) as bar:
        try:
            for row in measured(quick, bar.update):
                rows.append(row)
                if out is not None:
                    with out.open("a") as file:
                        file.write(json.dumps(plain(row), allow_nan=False) + "\n")
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        print_json({"bench": chosen.name, "quick": quick, "rows": rows, "interrupted": interrupted})
    elif rows:
        say(table(chosen.columns, rows, chosen.sections), *chosen.conclude(rows))
    if interrupted:
        warn("stopped early; these are the rows so far.")
        raise typer.Exit(INTERRUPTED)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))
