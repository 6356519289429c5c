"""`workbench serve` and `workbench lab`."""

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.extras import need, need_views
from workbench.cli.frame import AsJson, Debug, warn
from workbench.cli.options import whole
from workbench.cli.plain import print_json
from workbench.errors import Unsupported

NOTEBOOK = Path("notebooks") / "00_tour.ipynb"

Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")]


def serve(
    port: Annotated[int, whole("--port", "PORT", "0 takes a free one.")] = 5006,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST",
            help="Where to listen; on any but this machine's own, visitors need a token.",
        ),
    ] = "localhost",
    browser: Browser = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Serve the app on this machine until Ctrl-C.

    With --address 0.0.0.0 others reach it too, by the link that is printed: it holds a random
    token, and nobody is let in without.
    """
    need_views("the app")
    access = importlib.import_module("workbench.views.access")
    app = importlib.import_module("workbench.views.app")
    chosen = access.free_port(port, address)
    token = "" if access.is_local(address) else access.Token().value
    url = access.url(address, chosen, token)
    if as_json:
        print_json({"url": url, "port": chosen})
    else:
        warn(f"the app is at {url} (Ctrl-C stops it)")
    app.serve(port=chosen, show=browser, address=address, token=token)


def lab(
    port: Annotated[int | None, whole("--port", "PORT", "JupyterLab's.")] = None,
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
