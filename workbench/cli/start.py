"""`workbench serve` and `workbench lab`."""

import importlib
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.extras import need, need_views
from workbench.cli.frame import AsJson, Debug, warn
from workbench.cli.plain import print_json
from workbench.cli.settings import whole
from workbench.errors import BadInput, Unsupported

NOTEBOOK = Path("notebooks") / "00_tour.ipynb"

Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")]


def serve(
    port: Annotated[
        int, typer.Option("--port", parser=whole, metavar="PORT", help="0 takes a free one.")
    ] = 5006,
    browser: Browser = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Serve the app on this machine until Ctrl-C."""
    need_views("the app")
    app = importlib.import_module("workbench.views.app")
    chosen = free_port(port)
    url = f"http://localhost:{chosen}/"
    if as_json:
        print_json({"url": url, "port": chosen})
    else:
        warn(f"the app is at {url} (Ctrl-C stops it)")
    app.serve(port=chosen, show=browser)


def free_port(port: int) -> int:
    """The port, or a free one for 0. Raises `BadInput` where another program has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "ports are 0 to 65535"
            raise BadInput(
                f"port {port} cannot be used ({reason}): choose another, or 0 for a free one"
            ) from None
        return probe.getsockname()[1]


def lab(
    port: Annotated[
        int | None, typer.Option("--port", parser=whole, metavar="PORT", help="JupyterLab's.")
    ] = None,
    browser: Browser = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Open the tour notebook in JupyterLab."""
    need("JupyterLab", ("jupyterlab",), "views")
    root = notebook_root()
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{NOTEBOOK}"]
    command.append(f"--ServerApp.root_dir={root}")
    if port is not None:
        command.append(f"--port={port}")
    if not browser:
        command.append("--no-browser")
    if os.name == "posix" and os.geteuid() == 0:
        command.append("--allow-root")
    if as_json:
        print_json({"notebook": str(root / NOTEBOOK), "command": command})
    # JupyterLab takes this process's place, so that Ctrl-C is its own.
    os.execve(sys.executable, command, {**os.environ, "PANEL_INLINE": "true"})


def notebook_root() -> Path:
    """The folder that holds notebooks/00_tour.ipynb. Raises `Unsupported` where there is none."""
    import workbench

    root = Path(workbench.__file__).resolve().parents[1]
    if not (root / NOTEBOOK).is_file():
        raise Unsupported(
            "the tour notebook is not part of an installed package",
            "clone the repository and run `make lab` there",
        )
    return root
