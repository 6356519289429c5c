"""Named problems, read from the data that ships with the package."""

from functools import lru_cache
from pathlib import Path

from workbench.errors import BadInput
from workbench.problem import Problem


@lru_cache(maxsize=1)
def data_folder() -> Path:
    """Where the data lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / "problems").is_dir():
            return folder
    raise BadInput("the workbench's data folder is missing: install the package again")


def names() -> list[str]:
    """Names of all catalogue problems."""
    return sorted(p.stem for p in (data_folder() / "problems").glob("*.json"))


def load(name_or_path: str | Path) -> Problem:
    """A problem by its catalogue name, or by the path of its card.

    Raises:
        BadInput: where there is neither.

    >>> load("A_d10_1e-6").truth.method
    'exact: Phi of the reliability index'
    """
    path = data_folder() / "problems" / f"{name_or_path}.json"
    if isinstance(name_or_path, str) and name_or_path in names():
        return Problem.load(path)
    given = Path(name_or_path)
    if given.exists():
        return Problem.load(given)
    near = [n for n in names() if str(name_or_path).lower() in n.lower()]
    hint = f"did you mean {', '.join(near[:4])}" if near else "`workbench list problems` names them"
    raise BadInput(f"no problem and no card is called {str(name_or_path)!r}: {hint}")
