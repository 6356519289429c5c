"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadInput


def write(path: Path, data: bytes) -> None:
    """Put these bytes under this name in one step; they outlast a loss of power.

    A reader, or whoever comes after a crash, finds the former file or the new one.

    Raises:
        OSError: where the folder cannot be written.
    """
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """As `write`, of files that belong together: none takes its name until all are on the disk.

    So a disk that fills up leaves all former ones. Only a loss of power between two renames can
    leave some of them new; the last of them is the one that should vouch for the others.
    """
    drafts: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            try:
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
                drafts[Path(name)] = path
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o644)
            except OSError as error:
                error.filename = str(path)  # what was asked for, not its draft
                raise
        for draft, path in drafts.items():
            draft.replace(path)
    except BaseException:
        for draft in drafts:
            draft.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in files}:
        settle(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises `BadInput` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its way" if isinstance(error, FileExistsError) else error.strerror
        raise BadInput(f"the folder {str(folder)!r} cannot be made: {reason}") from error


def settle(folder: Path) -> None:
    """Have the names in a folder outlast a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
