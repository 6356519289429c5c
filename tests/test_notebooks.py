"""Every notebook runs quickly from top to bottom and says what it said when it was recorded.

The cells assert what their prose claims. Their numbers, published under a MIME type of our own, are
compared with `tests/recorded/<notebook>.json`, where each is [value, its standard error or null].
To record anew after a change that is meant to move them: `python tests/test_notebooks.py`.
"""

import json
import math
import re
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
RECORDED = Path(__file__).parent / "recorded"
MIME = "application/vnd.workbench.result+json"
QUICK = {"profile": "quick", "seed": 0}
RTOL = 1e-6  # of deterministic values: what linear algebra may round differently elsewhere
# Sampled values are seeded, so on one machine they are equal; where rounding sends a chain another
# way they are independent, and of such pairs one in 16,000 is further apart than this.
STANDARD_ERRORS = 4.0
LARGEST = 2**20  # bytes of an executed notebook: nothing has inlined an interface into it


def execute(path, folder):
    """The notebook as papermill leaves it: run in `folder` by this interpreter."""
    import papermill

    output = folder / path.name
    papermill.execute_notebook(
        path,
        output,
        parameters=QUICK,
        kernel_name=kernel(folder),
        cwd=folder,
        progress_bar=False,
        store_widget_state=False,
    )
    return output


def kernel(folder):
    """Register this interpreter as a kernel under `folder`; returns its name."""
    spec = folder / "kernels" / "workbench-tests"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "workbench tests", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about))
    return spec.name


def results(path):
    """{name: [value, standard error or None]} of all that an executed notebook published."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            for name, value in output.get("data", {}).get(MIME, {}).items():
                assert name not in found, f"{name} is published twice"
                found[name] = value
    return found


def agrees(now, then):
    """Whether two recorded [value, error] pairs are the same answer."""
    (value, error), (value_then, error_then) = now, then
    if isinstance(value, str) or isinstance(value_then, str):  # infinities
        return value == value_then and error == error_then
    if error is None or error_then is None:
        return error == error_then and math.isclose(value, value_then, rel_tol=RTOL)
    return abs(value - value_then) <= STANDARD_ERRORS * math.hypot(error, error_then)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a notebook runs, with Jupyter's files kept inside."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "share"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


def test_there_are_notebooks():
    assert "00_tour.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_and_says_what_it_said(path, folder):
    output = execute(path, folder)
    now = results(output)
    then = json.loads((RECORDED / f"{path.stem}.json").read_text())
    assert now.keys() == then.keys()
    differ = {k: (now[k], then[k]) for k in now if not agrees(now[k], then[k])}
    assert not differ
    assert output.stat().st_size < LARGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_kept_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in ids), "ids are words, kept"
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.id for cell in tagged] == ["parameters"]


def test_agreement_is_strict_where_it_should_be():
    assert agrees([-7.4, None], [-7.4 * (1 + 1e-7), None])
    assert not agrees([-7.4, None], [-7.4 * (1 + 1e-5), None])
    assert agrees([-7.0, 0.1], [-6.7, 0.1])
    assert not agrees([-7.0, 0.1], [-6.4, 0.1])
    assert agrees(["-inf", "inf"], ["-inf", "inf"])
    assert not agrees(["-inf", "inf"], [-6.0, 1.0])
    assert not agrees([-7.0, None], [-7.0, 0.1])


if __name__ == "__main__":
    import os
    import tempfile

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as name:
            os.environ["JUPYTER_PATH"] = name
            lines = [
                f" {json.dumps(key)}: {json.dumps(value)}"
                for key, value in results(execute(path, Path(name))).items()
            ]
        (RECORDED / f"{path.stem}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
