"""What happens before Sphinx reads: pages are made, notebooks are copied, or run and copied."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pages
import plotly
from plotly.io import from_json, to_html
from sphinx.errors import ExtensionError

from workbench.experiments.notebooks import MIME, execute, kernel

HERE = Path(__file__).parents[1]
PLOTLY = "application/vnd.plotly.v1+json"


def make(app: Any) -> None:
    """Everything below docs/made, and plotly.js beside it where notebooks are run."""
    pages.write()
    place = HERE / "made" / "notebooks"
    place.mkdir(parents=True, exist_ok=True)
    paths = sorted((HERE.parent / "notebooks").glob("*.ipynb"))
    listed = "\n".join(path.stem for path in paths)
    pages.put(
        place / "index.md",
        "# Notebooks\n\nEach asserts what it says, and runs in two profiles, quick and full: "
        f"`workbench notebooks`.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
    )
    for path in paths:
        target = place / path.name
        if app.config.run_notebooks:
            _run(path, target)
        elif not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
            shutil.copy(path, target)
    if app.config.run_notebooks:
        script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        shutil.copy(script, HERE / "_static" / "plotly.min.js")
        app.add_js_file("plotly.min.js", loading_method=None)


def _run(path: Path, target: Path) -> None:
    """The notebook with what its quick profile printed and drew."""
    with tempfile.TemporaryDirectory() as folder, kernel(Path(folder)) as name:
        output = Path(folder) / path.name
        reason = execute(path, output, name, profile="quick", seed=0)
        if reason:
            raise ExtensionError(f"{path.name} failed: {reason}")
        notebook = nbformat.read(output, nbformat.NO_CONVERT)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = ["remove-cell"]
        for result in cell.get("outputs", []):
            _draw(result.get("data", {}))
    nbformat.write(notebook, target)


def _draw(data: dict[str, Any]) -> None:
    """A figure as HTML that the page's own plotly.js draws; what is not for a reader goes."""
    data.pop(MIME, None)  # the numbers for whoever runs it: the text beside them says the same
    if PLOTLY in data:
        figure = from_json(json.dumps(data.pop(PLOTLY)), skip_invalid=True)
        data["text/html"] = to_html(figure, full_html=False, include_plotlyjs=False)


def setup(app: Any) -> dict[str, bool]:
    app.add_config_value("run_notebooks", False, "env")
    app.connect("builder-inited", make)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
