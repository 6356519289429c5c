"""The runs under a folder, as a table."""

from pathlib import Path

from workbench.errors import BadInput, WorkbenchError
from workbench.experiments.attempt import Row
from workbench.experiments.folder import MALFORMED, RUN, Folder, altered, is_run
from workbench.experiments.kinds import kind_of


def shelf(place: str | Path) -> list[Row]:
    """One row a run at or below a folder, by name.

    Each has `run` (its path), `kind`, `title`, `standing` (finished, stopped, running or damaged),
    and the `steps`, `seconds` and last `metrics` of its checkpoint; a damaged one has its `reason`.

    Raises:
        BadInput: where there is no such folder.
    """
    root = Path(place)
    if not root.is_dir():
        raise BadInput(f"{root} is no folder")
    found = [root] if is_run(root) else [p.parent for p in sorted(root.rglob(RUN))]
    hidden = [p for p in found if any(part.startswith(".") for part in p.relative_to(root).parts)]
    return [_row(path) for path in found if path not in hidden]


def _row(path: Path) -> Row:
    try:
        folder = Folder.look(path)
        kind = kind_of(folder.kind)
        running = folder.held
        if not running:  # else it may move on meanwhile
            folder.verify()
        title = kind.title(folder.config)
    except WorkbenchError as error:
        return {"run": str(path), "standing": "damaged", "reason": str(error)}
    except MALFORMED as error:
        return {"run": str(path), "standing": "damaged", "reason": altered(path, error)}
    mark = folder.mark
    return {
        "run": str(path),
        "kind": kind.name,
        "title": title,
        "standing": "running" if running else "finished" if mark.finished else "stopped",
        "steps": mark.steps,
        "seconds": mark.seconds,
        "metrics": folder.rows[-1] if folder.rows else {},
    }
