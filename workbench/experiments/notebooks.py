"""Notebooks run by papermill in a kernel of this interpreter, and what they published.

A notebook takes `profile` and `seed` in its cell tagged `parameters`, asserts what its prose
claims, and publishes its numbers under `MIME` as {name: [value, standard error or null]}.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

MIME = "application/vnd.workbench.result+json"
PICTURES = ("application/vnd.plotly.v1+json", "image/png")

Value = list[Any]
"""[value, standard error or None]; infinities as text."""


def execute(path: Path, output: Path, kernel_name: str, **parameters: Any) -> str:
    """Run a notebook beside `output`, where papermill leaves it; what a cell raised, or ""."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            path, output, parameters=parameters, kernel_name=kernel_name, language="python",
            cwd=output.parent, progress_bar=False, store_widget_state=False,
        )  # fmt: skip
    except PapermillExecutionError as error:
        where = error.source.strip().splitlines()
        return f"{error.ename}: {error.evalue} (in the cell {where[0] if where else ''!r} ...)"
    except DeadKernelError as error:
        return f"its kernel died: {error}"
    return ""


@contextmanager
def kernel(folder: Path) -> Iterator[str]:
    """This interpreter as a Jupyter kernel that only this process sees; gives its name.

    A kernel called python3 may be another interpreter's; and what Jupyter and IPython keep of a
    user (settings, history) has no part in a rehearsal.
    """
    spec = folder / "kernels" / "workbench-rehearsal"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "workbench", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about))
    places = {
        "JUPYTER_PATH": folder, "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "share", "IPYTHONDIR": folder / "ipython",
    }  # fmt: skip
    before = {key: os.environ.get(key) for key in places}
    os.environ.update({key: str(place) for key, place in places.items()})
    try:
        yield spec.name
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def contents(path: Path) -> tuple[dict[str, Value], tuple[tuple[str, Any], ...]]:
    """What an executed notebook published, and its figures as (MIME type, data).

    Raises:
        BadInput: where a name is published twice.
    """
    import nbformat

    found: dict[str, Value] = {}
    pictures: list[tuple[str, Any]] = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for name, value in data.get(MIME, {}).items():
                if name in found:
                    raise BadInput(f"{path.name} publishes {name!r} twice: give each its own name")
                found[name] = value
            pictures += [(mime, data[mime]) for mime in PICTURES if mime in data]
    return found, tuple(pictures)
