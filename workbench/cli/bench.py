"""`workbench bench`."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table, tables
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
    budget: Annotated[int | None, whole("--budget", "FORWARDS", "Forward passes a run.")] = None,
    seeds: Annotated[int | None, whole("--seeds", "K", "Runs of each method.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Append each row as a line of JSON at once."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep the rows that are in FILE, and measure the others.",
            show_default=False,
        ),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Measure the workbench: against ground truth, published figures, or its own targets.

    A bench over problems and methods (truth, training) can be run in parts; one whose rows stand by
    themselves (training) goes on where it was cut off.
    """
    from workbench import bench as benches

    if seeds is not None and seeds < 1:
        raise BadInput(f"--seeds must be at least 1, got {seeds}")
    if resume and out is None:
        raise BadInput("--resume goes on with the rows of --out FILE: give both")
    done = benches.recorded(out) if resume and out is not None else ()
    choice = benches.Choice(_names(problems), _names(methods), budget, seeds, done)

    if name is None:
        listed = [(b.name, b.about) for b in benches.ALL]
        if as_json:
            print_json({"benches": [{"name": n, "about": a} for n, a in listed]})
        else:
            say(grid(listed))
        return
    chosen = benches.find(name)
    if resume and not chosen.resumes:
        raise BadInput(f"the rows of the bench {name!r} do not stand by themselves: no --resume")
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
                if out is not None and row not in done:
                    with out.open("a") as file:
                        file.write(json.dumps(plain(row), allow_nan=False) + "\n")
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        print_json({"bench": chosen.name, "quick": quick, "rows": rows, "interrupted": interrupted})
    elif rows:
        made = tables if chosen.apart else lambda *shown: [table(*shown)]
        say(*made(chosen.columns, rows, chosen.sections), *chosen.conclude(rows))
    if interrupted:
        warn("stopped early; these are the rows so far.")
        raise typer.Exit(INTERRUPTED)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))
