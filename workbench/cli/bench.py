"""`workbench bench`."""

from typing import Annotated, Any

import typer

from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.tables import grid, say, table


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which one; without it, list them.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small part of it, in seconds.", show_default=False)
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure the workbench: against ground truth, published figures, or its own targets."""
    from workbench import bench as benches

    if name is None:
        listed = [(b.name, b.about) for b in benches.ALL]
        if as_json:
            print_json({"benches": [{"name": n, "about": a} for n, a in listed]})
        else:
            say(grid(listed))
        return
    chosen = benches.find(name)
    rows: list[dict[str, Any]] = []
    interrupted = False
    with Bar(chosen.name) as bar:
        try:
            for row in chosen.run(quick, bar.update):
                rows.append(row)
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        print_json({"bench": chosen.name, "quick": quick, "rows": rows, "interrupted": interrupted})
    elif rows:
        say(table(chosen.columns, rows, chosen.sections), *chosen.conclude(rows))
    if interrupted:
        warn("stopped early; these are the rows so far.")
        raise typer.Exit(INTERRUPTED)
