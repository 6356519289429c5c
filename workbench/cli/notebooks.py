"""`workbench notebooks`."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import files
from workbench.cli.extras import need, need_views
from workbench.cli.frame import INTERRUPTED, AsJson, Debug, warn
from workbench.cli.options import whole
from workbench.cli.plain import print_json
from workbench.cli.progress import Bar
from workbench.cli.start import notebook_root
from workbench.cli.tables import grid, say, table
from workbench.errors import BadInput

MOVED = 1
"""Exit code where a notebook failed, or does not say what is recorded of it."""

_AMISS = ("failed", "differs", "silent", "unrecorded")


def notebooks(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NOTEBOOK]...", help="Names or paths; without any, all."),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", metavar="PROFILE", help="quick or full.")
    ] = "quick",
    update: Annotated[
        bool,
        typer.Option("--update", help="Record what they say now, in place of comparing."),
    ] = False,
    patience: Annotated[
        int | None,
        whole("--patience", "SECONDS", "What a cell may take: more is a failure, not a hang."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write differences and pictures as .html."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run the notebooks and compare what they say with what is recorded of them.

    Exits with 1 where a cell fails, a value has moved (deterministic ones by more than 1e-6 of
    themselves, sampled ones by more than 4 standard errors), or there is nothing to compare. The
    record of a notebook of your own, mine.ipynb, is mine.recorded.json beside it.
    """
    from workbench.bench import Column

    need("notebooks", ("papermill", "ipykernel"), "views")
    if patience is not None and patience < 1:
        raise BadInput(f"--patience must be at least 1 second, got {patience}")
    if report is not None:
        need_views("a report")
        files.check(report, (".html",))
    root = notebook_root()
    paths = _chosen(root, names)
    done: list[Any] = []
    interrupted = False
    with Bar(paths[0].stem) as bar:
        try:
            for made in _rehearsed(root, paths, profile, update, patience):
                done.append(made)
                following = paths[min(len(done), len(paths) - 1)].stem
                bar.update(len(done) / len(paths), following)
        except KeyboardInterrupt:
            interrupted = True
    if report is not None:
        module = importlib.import_module("workbench.views.rehearsal_page")
        files.write(report, module.page(done))
    rows = [
        {
            "notebook": r.notebook, "standing": r.standing, "seconds": r.seconds,
            "values": len(r.now), "moved": list(r.moved) if r.then else [], "reason": r.reason,
        }
        for r in done
    ]  # fmt: skip
    if as_json:
        values = [{**row, "now": r.now, "then": r.then} for row, r in zip(rows, done, strict=True)]
        print_json({"profile": profile, "notebooks": values, "interrupted": interrupted})
    elif rows:
        columns = [
            Column("notebook", "notebook"), Column("standing", "standing"),
            Column("values", "values", "count"), Column("seconds", "seconds", "seconds"),
        ]  # fmt: skip
        say(table(columns, rows))
        said = [(row["notebook"], row["reason"] or f"moved: {', '.join(row['moved'])}")
                for row in rows if row["standing"] in _AMISS]  # fmt: skip
        if said:
            say(grid(said))
    if interrupted:
        warn("stopped early; these are the notebooks so far.")
        raise typer.Exit(INTERRUPTED)
    if any(r.standing in _AMISS for r in done):
        raise typer.Exit(MOVED)


def _rehearsed(
    root: Path, paths: list[Path], profile: str, update: bool, patience: int | None
) -> Iterator[Any]:
    """Each notebook, run: the repository's own are recorded in tests/recorded, others beside."""
    from workbench.experiments.rehearsal import rehearse

    for path in paths:
        own = path.parent == root / "notebooks"
        recorded = root / "tests" / "recorded" if own else None
        yield from rehearse([path], recorded, profile, update, patience)


def _chosen(root: Path, names: list[str] | None) -> list[Path]:
    """The notebooks of these names, their beginnings, or paths.

    Raises:
        BadInput: for one that is not there.
    """
    known = {path.stem: path for path in sorted((root / "notebooks").glob("*.ipynb"))}
    paths = []
    for name in names or known:
        begun = [path for stem, path in known.items() if stem.startswith(name)]
        path = known.get(name, begun[0] if len(begun) == 1 else Path(name))
        if not path.is_file():
            raise BadInput(
                f"there is no notebook {name!r}: give a path, or one of {', '.join(known)}"
            )
        paths.append(path.resolve())
    return paths
