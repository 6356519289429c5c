"""Files that a command is asked to write: checked before any work is done, written whole."""

from collections.abc import Sequence
from pathlib import Path

from workbench.cli.extras import need
from workbench.errors import BadInput


def check(path: Path, formats: Sequence[str] = ()) -> None:
    """Raises `BadInput` or `Unsupported` unless a file of one of these suffixes can be written."""
    target = path.resolve()
    if not target.parent.is_dir():
        raise BadInput(f"the folder of {str(path)!r} does not exist: make it first")
    if target.is_dir():
        raise BadInput(f"{str(path)!r} is a folder: name a file in it")
    if formats and path.suffix not in formats:
        raise BadInput(f"--out writes {', '.join(formats)}; got {str(path)!r}")
    if path.suffix == ".parquet":
        need("Parquet", ("pyarrow",), "views")


def write(path: Path, content: str | bytes) -> None:
    """Write a file in one step: where the disk is full, a former one is left as it was.

    Raises:
        OSError: where it cannot be written.
    """
    from workbench.problem import atomic

    data = content.encode() if isinstance(content, str) else content
    target = path.resolve()  # a link stays one
    if target.exists() and not target.is_file():
        target.write_bytes(data)  # a device or a pipe, which nothing may replace
    else:
        atomic.write(target, data)
