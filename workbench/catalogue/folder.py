"""Where the data of the package lie."""

import hashlib
from functools import lru_cache
from pathlib import Path

from workbench.errors import BadInput


@lru_cache(maxsize=1)
def data_folder() -> Path:
    """Where the data lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / "problems").is_dir():
            return folder
    raise BadInput("the workbench's data folder is missing: install the package again")


def data_file(name: str, sha256: str) -> bytes:
    """A file by its path below the data folder, which must be the one that its index states.

    Raises:
        BadInput: where it is another.
    """
    path = data_folder() / name
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadInput(f"{path.name} is not the file that its index states")
    return data
