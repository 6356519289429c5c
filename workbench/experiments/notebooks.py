"""Notebooks run by papermill in a kernel of this interpreter, and what they published.

A notebook takes `profile` and `seed` in its cell tagged `parameters`, asserts what its prose
claims, and publishes its numbers under `MIME` as {name: [value, standard error or null]}.
"""

import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

MIME = "application/vnd.workbench.result+json"
PICTURES = ("application/vnd.plotly.v1+json", "image/png")

_PATIENCE = 0.1
"""Seconds between two attempts to kill a kernel that is just being started."""

Value = list[Any]
"""[value, standard error or None]; infinities as text."""


def execute(path: Path, output: Path, kernel_name: str, **parameters: Any) -> str:
    """Run a notebook beside `output`, where papermill leaves it; what a cell raised, or "".

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
        running = thread.submit(_execute, path, output, kernel_name, Known, parameters)
        try:
            return running.result()
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
    path: Path, output: Path, kernel_name: str, manager: type, parameters: dict[str, Any]
) -> str:
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            path, output, parameters=parameters, kernel_name=kernel_name, language="python",
            cwd=output.parent, progress_bar=False, store_widget_state=False,
            kernel_manager_class=manager,
        )  # fmt: skip
    except PapermillExecutionError as error:
        where = error.source.strip().splitlines()
        return f"{error.ename}: {error.evalue} (in the cell {where[0] if where else ''!r} ...)"
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
