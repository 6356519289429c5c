"""Notebooks run by papermill in a kernel of this interpreter, and what they published.

A notebook may take `profile` and `seed` in its cell tagged `parameters`, asserts what its prose
claims, and publishes its numbers under `MIME` as {name: [value, standard error or null]}.
"""

import ast
import importlib
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.estimators import Estimate
from workbench.experiments.hearing import result

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

MIME = "application/vnd.workbench.result+json"
PICTURES = ("application/vnd.plotly.v1+json", "image/png")

_PATIENCE = 0.1
"""Seconds between two attempts to kill a kernel that is just being started."""

Value = list[Any]
"""[value, standard error or None]; infinities as text."""


def publish(**values: Any) -> None:
    """Say these numbers in a notebook, for `workbench notebooks` to hold against its record.

    Args:
        values: an `Estimate` (its log10 P, and its error where it has one), a number that does
            not depend on chance, or a pair (number, standard error).

    Raises:
        BadInput: for anything else, or NaN.

    >>> publish(truth=-7.01, sampled=(-7.0, 0.1))
    truth = -7.01, sampled = -7 ± 0.1
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import publish_display_data

    found = {name: _value(name, value) for name, value in values.items()}
    text = ", ".join(
        f"{name} = {_short(value)}" + ("" if error is None else f" ± {_short(error)}")
        for name, (value, error) in found.items()
    )
    if not InteractiveShell.initialized():  # the same notebook as a script
        print(text)
        return
    publish_display_data({"text/plain": text, MIME: found})


def _value(name: str, given: Any) -> Value:
    if isinstance(given, Estimate):
        given = given.log10_p, given.log10_err
    pair = list(given) if isinstance(given, tuple | list) else [given, None]
    try:
        numbers = [None if v is None else float(v) for v in pair]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 2 or numbers[0] is None or any(v is not None and v != v for v in numbers):
        raise BadInput(
            f"publish({name}=...) takes an estimate, a number, or a number and its standard "
            f"error, got {given!r}"
        )
    return [v if v is None or math.isfinite(v) else str(v) for v in numbers]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def parameters_of(path: Path) -> set[str]:
    """The names that a notebook's cell tagged `parameters` assigns."""
    import nbformat

    found: set[str] = set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            try:
                tree = ast.parse(cell.source)
            except SyntaxError:  # its run says so
                continue
            names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
            found |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return found


def execute(
    path: Path, output: Path, kernel_name: str, patience: int | None = None, **parameters: Any
) -> str:
    """Run a notebook beside `output`, where papermill leaves it; what a cell raised, or "".

    Of the parameters it is given those that it takes. A cell that has not ended after `patience`
    seconds ends the notebook.

    papermill works in a thread: an interruption, which comes to the main one, then kills the kernel
    with all that it started, and papermill ends as if the kernel had died. In the midst of its
    event loop an interruption would leave both behind.
    """
    from jupyter_client.manager import AsyncKernelManager

    kernels: list[AsyncKernelManager] = []

    class Known(AsyncKernelManager):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            kernels.append(self)

    importlib.import_module("papermill")  # it takes seconds, and here they can be interrupted
    with ThreadPoolExecutor(1) as thread:
        asked = path, output, kernel_name, Known, patience, parameters
        running = thread.submit(_execute, *asked)
        try:
            return result(running)
        except BaseException:
            said = logging.getLogger("papermill")
            level = said.level
            said.setLevel(logging.CRITICAL + 1)  # that the kernel died is no news
            while not running.done():
                for kernel in kernels:
                    _kill(kernel)
                wait([running], _PATIENCE)
            said.setLevel(level)
            raise


def _execute(
    path: Path, output: Path, kernel_name: str, manager: type, patience: int | None,
    parameters: dict[str, Any],
) -> str:  # fmt: skip
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    taken = parameters_of(path)
    given = {name: value for name, value in parameters.items() if name in taken}
    try:
        papermill.execute_notebook(
            path, output, parameters=given, kernel_name=kernel_name, language="python",
            cwd=output.parent, progress_bar=False, store_widget_state=False,
            kernel_manager_class=manager, execution_timeout=patience,
        )  # fmt: skip
    except PapermillExecutionError as error:
        where = error.source.strip().splitlines()
        return f"{error.ename}: {error.evalue} (in the cell {where[0] if where else ''!r} ...)"
    except CellTimeoutError:
        return f"a cell had not ended after {patience} seconds"
    except DeadKernelError as error:
        return f"its kernel died: {error}"
    finally:
        ensure_event_loop().close()  # this thread's, which ends here
    return ""


def _kill(manager: "AsyncKernelManager") -> None:
    """Kill a kernel, if it has been started, and the processes that it started."""
    process = getattr(manager.provisioner, "process", None)
    if process is None:
        return
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # jupyter_client gives each a group of its own
    else:
        process.kill()


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
