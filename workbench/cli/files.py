"""Files that a command is asked to write, checked before any work is done."""

from collections.abc import Sequence
from pathlib import Path

from workbench.cli.extras import need
from workbench.errors import BadInput


def check(path: Path, formats: Sequence[str] = ()) -> None:
    """Raises `BadInput` or `Unsupported` unless a file of one of these suffixes can be written."""
    if not path.resolve().parent.is_dir():
        raise BadInput(f"the folder of {str(path)!r} does not exist: make it first")
    if formats and path.suffix not in formats:
        raise BadInput(f"--out writes {', '.join(formats)}; got {str(path)!r}")
    if path.suffix == ".parquet":
        need("Parquet", ("pyarrow",), "views")
