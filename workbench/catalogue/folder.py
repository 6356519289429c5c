"""Where the data of the package lie."""

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
