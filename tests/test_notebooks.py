"""Every notebook runs quickly from top to bottom and says what it said when it was recorded.

To record anew after a change that is meant to move them: `workbench notebooks --update`.
"""

import json
import re
import sys
import time
from pathlib import Path

import nbformat
import pytest
from commands import ask, refuse, workbench

from workbench.errors import BadInput
from workbench.experiments.notebooks import contents, execute, kernel, parameters_of
from workbench.experiments.rehearsal import Rehearsal, _recorded, agrees, rehearse
from workbench.views.rehearsal_page import page

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TOUR = ROOT / "notebooks" / "00_tour.ipynb"
RECORDED = ROOT / "tests" / "recorded"
PATIENCE = 300  # seconds of a cell; the slowest takes a tenth
LARGEST = 2**20  # bytes of an executed notebook: nothing has inlined an interface into it
MIME = "application/vnd.workbench.result+json"


def written(folder, *sources, name="small"):
    """A notebook of these cells, the first tagged `parameters`."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def saying(**values):
    """A cell that publishes these values."""
    return (
        "from IPython.display import publish_display_data\n"
        f"publish_display_data({{{MIME!r}: {values!r}}})"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p != TOUR], ids=lambda p: p.stem)
def test_notebook_runs_and_says_what_it_said(path):
    (made,) = rehearse([path], RECORDED, patience=PATIENCE)
    assert made.standing == "agrees", (made.reason, [(made.now, made.then)])
    assert not made.moved and made.now
    assert made.size < LARGEST


@pytest.mark.slow
def test_a_changed_formula_is_noticed(tmp_path):
    """Moments of a ReLU a thousandth larger than they are: the records of the tour tell."""
    with kernel(tmp_path) as name:
        spec = tmp_path / "kernels" / name / "kernel.json"
        about = json.loads(spec.read_text())
        mutant = (
            "from workbench.math.activations.relu import ReLU; whole = ReLU.moments;"
            "ReLU.moments = lambda *a: tuple(1.001 * part for part in whole(*a));"
            "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
        )
        about["argv"] = [sys.executable, "-c", mutant, "-f", "{connection_file}"]
        spec.write_text(json.dumps(about))
        output = tmp_path / TOUR.name
        reason = execute(TOUR, output, name, profile="quick", seed=0)
    now, _ = contents(output)
    then = json.loads((RECORDED / "00_tour.json").read_text())
    assert Rehearsal("00_tour", "differs", 0.0, reason, now, then).moved
    assert agrees(now["truth"], then["truth"]), "what does not follow from the formula stays"


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
    assert not agrees([float("nan"), None], [float("nan"), None])


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', "\xff"])
def test_a_broken_record_is_told_in_a_sentence(text, tmp_path):
    path = tmp_path / "mine.recorded.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match="is no record of a notebook: restore it"):
        _recorded(path)
    assert _recorded(tmp_path / "none.json") == {}


def test_a_notebook_is_recorded_compared_and_reported(tmp_path):
    small = written(tmp_path, "profile, seed = '', 1", saying(a=[-1.0, None], b=["-inf", "inf"]))
    (first,) = rehearse([small], tmp_path)
    assert first.standing == "unrecorded"
    (first,) = rehearse([small], tmp_path, update=True)
    assert first.standing == "recorded"
    (again,) = rehearse([small], tmp_path)
    assert again.standing == "agrees" and again.now == again.then == first.now
    written(tmp_path, "profile, seed = '', 1", saying(a=[-1.1, None], c=[2.0, 0.1]))
    (moved,) = rehearse([small], tmp_path)
    assert moved.standing == "differs" and set(moved.moved) == {"a", "b", "c"}
    written(tmp_path, "profile, seed = '', 1", saying(a=[-1.0, None]), "1 / 0  # <script>")
    (failed,) = rehearse([small], tmp_path)
    assert failed.standing == "failed" and "ZeroDivisionError" in failed.reason
    shown = page([again, moved, failed])
    assert "-0.1" in shown and "small: differs" in shown and "ZeroDivisionError" in shown
    assert "<script>" not in shown.split("</style>")[1]


@pytest.mark.slow
def test_a_notebook_of_your_own_is_never_green_for_nothing(tmp_path, recwarn):
    """Without a value or without a record it exits with 1; its record stands beside it."""
    (tmp_path / "mine").mkdir()
    path = written(tmp_path / "mine", "answer = 42", "print(answer)", name="mine")
    for words in ([], ["--update"]):
        told = workbench("notebooks", path, *words, code=1)
        assert "silent" in told.output and "publishes no value" in told.output
    assert list(path.parent.iterdir()) == [path]
    written(
        tmp_path / "mine", "answer = 42",
        "from workbench.experiments import publish\n"
        "publish(answer=answer, sampled=(-7.0, 0.1), none=float('-inf'))", name="mine",
    )  # fmt: skip
    told = workbench("notebooks", path, code=1)
    assert "unrecorded" in told.output and "--update records" in told.output
    assert "unknown parameter" not in told.output
    workbench("notebooks", path, "--update")
    record = path.with_name("mine.recorded.json")
    assert json.loads(record.read_text()) == {
        "answer": [42.0, None], "sampled": [-7.0, 0.1], "none": ["-inf", None],
    }  # fmt: skip
    assert "agrees" in workbench("notebooks", path).output
    assert not (RECORDED / "mine.json").exists()


@pytest.mark.slow
def test_a_cell_that_does_not_end_is_a_failure(tmp_path):
    path = written(tmp_path, "x = 1", "import time; time.sleep(1000)")
    began = time.monotonic()
    told = ask("notebooks", str(path), "--patience", 2, code=1)
    (one,) = told["notebooks"]
    assert one["standing"] == "failed" and one["reason"] == "a cell had not ended after 2 seconds"
    assert time.monotonic() - began < 100.0
    assert "at least 1 second" in refuse("notebooks", str(path), "--patience", 0)


def test_only_numbers_are_published():
    from workbench.experiments import publish

    for wrong in ("text", float("nan"), (1.0, 2.0, 3.0), None, (None, 1.0)):
        with pytest.raises(BadInput, match=r"publish\(a=...\) takes an estimate"):
            publish(a=wrong)


def test_a_notebook_is_given_what_it_takes(tmp_path):
    assert parameters_of(written(tmp_path, "profile, seed = '', 1\nx = 2")) == {
        "profile", "seed", "x",
    }  # fmt: skip
    assert parameters_of(written(tmp_path, "this is no Python")) == set()


def test_an_executed_notebook_names_a_value_once(tmp_path):
    twice = nbformat.v4.new_code_cell("")
    twice.outputs = [nbformat.v4.new_output("display_data", {MIME: {"a": [1.0, None]}})] * 2
    nbformat.write(nbformat.v4.new_notebook(cells=[twice]), tmp_path / "n.ipynb")
    with pytest.raises(BadInput, match="'a' twice"):
        contents(tmp_path / "n.ipynb")


@pytest.mark.slow
def test_the_command_runs_the_tour_and_tells_what_agrees(tmp_path):
    told = ask("notebooks", TOUR.stem, "--report", str(tmp_path / "report.html"))
    (one,) = told["notebooks"]
    assert one["standing"] == "agrees" and one["moved"] == [] and one["now"]["truth"]
    report = (tmp_path / "report.html").read_text()
    assert "00_tour: agrees" in report and "Plotly.newPlot" in report
    markup = re.sub(r"<script.*?</script>", "", report, flags=re.DOTALL)
    assert "src=" not in markup and "href=" not in markup
    assert not re.search(r"<script[^>]*src", report)


def test_the_command_refuses_what_is_not_there(tmp_path):
    assert "no notebook 'nope'" in refuse("notebooks", "nope")
    assert "no profile" in refuse("notebooks", "00_tour", "--profile", "slow")
    assert ".html" in refuse("notebooks", "--report", str(tmp_path / "report.pdf"))
    assert "--update" in workbench("notebooks", "--help").output
