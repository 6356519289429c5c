"""A folder to start from, and the cards in YAML that it brings."""

import json
import re
import subprocess
import sys
from typing import get_args

import pytest
from card_samples import PROBLEMS

import workbench as wb
from workbench.cli import main
from workbench.math.activations import ACTIVATIONS
from workbench.problem import by_hand, codec
from workbench.problem.nodes import NODES


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The folder that `workbench new` writes, and what its script printed."""
    folder = tmp_path_factory.mktemp("new") / "mine"
    patch = pytest.MonkeyPatch()
    patch.setattr(sys, "argv", ["workbench", "new", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    patch.undo()
    assert ended.value.code == 0
    command = [sys.executable, "-W", "error", "mine/problem.py"]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]
    return folder, done.stdout


def test_script_runs_and_its_estimates_agree(begun):
    folder, printed = begun
    found = {line.split()[0]: line for line in printed.splitlines() if "log10 P" in line}
    values = {
        k: float(line.split("log10 P = ")[1].split()[0].rstrip(",")) for k, line in found.items()
    }
    assert values.keys() == {"moments", "conditioned", "subset"}
    error = float(found["subset"].split("+- ")[1].split(",")[0])
    assert abs(values["conditioned"] - values["subset"]) < 4 * error
    assert (folder / "mine.zip").exists() and f"saved as {folder / 'mine.zip'}" in printed


def test_card_and_script_are_the_same_problem(begun):
    folder, _ = begun
    by_script = wb.load(folder / "mine.zip")
    by_card = wb.load(folder / "card.yaml")
    assert by_script.name == by_card.name == "mine"
    moments = [wb.Moments()(problem).log10_p for problem in (by_card, by_script)]
    assert moments[0] == pytest.approx(moments[1], abs=1e-6)  # trained twice, rounded twice
    assert "# C, the catastrophe" in (folder / "card.yaml").read_text()


def test_a_folder_with_something_in_it_is_left_alone(begun, monkeypatch, capsys):
    folder, _ = begun
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    monkeypatch.setattr(sys, "argv", ["workbench", "new", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "choose another name" in capsys.readouterr().err
    assert before == {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_yaml_holds_what_json_holds(name, tmp_path):
    path = codec.save_commented(PROBLEMS[name], tmp_path)
    card = codec.encode(PROBLEMS[name])[0].model_dump(exclude={"weights": {"file"}})
    assert wb.load(path).card.model_dump(exclude={"weights": {"file"}}) == card


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "alias"),
        ("a: !!python/object/apply:os.system [true]", "no plain YAML"),
        ("a: .nan", "no plain YAML"),
        ("a: 2026-11-24", "no plain YAML"),
        ("a: [1", "no plain YAML"),
        ("\x00", "no plain YAML"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_yaml_beyond_json_is_refused_in_a_sentence(text, said):
    with pytest.raises(wb.BadInput, match=said) as refusal:
        by_hand.yaml_to_json(text.encode(), "card.yaml")
    assert "\n" not in str(refusal.value)


def test_the_comment_on_models_names_every_operation():
    said = re.findall(r"\w+", by_hand.COMMENTS["model"])
    names = {op for card in get_args(NODES) for op in get_args(card.model_fields["op"].annotation)}
    assert names - {*said} == {*ACTIVATIONS, "prelu"} - {"relu"}  # "most activations"


def test_comments_are_about_fields_that_there_are():
    assert by_hand.COMMENTS.keys() <= codec.cards.Card.model_fields.keys()
    assert json.loads(by_hand.yaml_to_json(by_hand.commented({"spec": {"by": 0.5}}), "x.yaml"))
