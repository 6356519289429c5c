"""Whatever is typed ends with 0, 1 or 2, and with one sentence where it does not serve."""

import os
from contextlib import nullcontext

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from workbench.cli import app
from workbench.experiments import rehearsal, starter, workers
from workbench.views import app as screens

ODD = [
    "", " ", "-1", "0", "1", "7", "1e3", "1e400", "-0.0", "nan", "inf", "none", "a,b", ",", "=",
    "x=1", "batch=0", "batch=7", "batch=1e99", "order=3", "propagator=mean", "../..", "/", ".",
    "é\u202e", "\ud83d\ude00", "[", "{}", "%s", "moments", "monte_carlo", "subset", "gld", "--",
    "A_d10_1e-3", "A_d10_1e-20", "shifted", "elites", "score", "B3/S23", "110", "cell",
]  # fmt: skip
SMALL = {
    "list": [[], ["estimators"], ["problems"], ["families"], ["tails"]],
    "estimate": [
        ["A_d10_1e-3", "--budget", "200"],
        ["A_d10_1e-3", "-e", "monte_carlo", "--budget", "200", "--seed", "3"],
        ["A_d10_1e-3", "-e", "subset", "--set", "particles=50", "--budget", "200"],
    ],
    "compare": [
        ["A_d10_1e-3", "--estimators", "moments,gld", "--budget", "100", "--seeds", "1"],
    ],
    "attack": [["A_d10_1e-3", "--steps", "1", "--check", "100", "--estimator", "moments"]],
    "coherence": [["A_d10_1e-3", "--probes", "1"]],
    "truth": [["A_d10_1e-3", "--budget", "300"]],
    "anomaly": [["mintree", "-d", "output,unlikely", "--inputs", "5"]],
    "life": [["--rule", "B3/S23", "--generations", "1", "--side", "64"]],
    "runs": [["."]],
    "resume": [["nowhere"]],
    "report": [["nowhere"]],
    "bench": [[]],
    "schema": [[]],
}  # what each of them is fuzzed from; the rest of the commands only with words that do not serve
STARTS = {
    "new": [["mine"], ["mine/below"]],
    "sweep": [
        ["A_d10_1e-3", "--estimators", "moments", "--budget", "100", "--workers", "1"],
        ["A_d10_1e-3", "--estimators", "gld,orthant", "--budget", "100", "--seeds", "2"],
    ],
    "notebooks": [["00_tour"], ["nowhere.ipynb", "--profile", "full"], []],
    "serve": [["--port", "0", "--no-browser"], ["--address", "127.0.0.1", "--port", "0"]],
    "lab": [["--no-browser"], ["--port", "8890"]],
    "hush": [["A_d10_1e-3", "--steps", "1", "--nats", "2"]],
    "attack-lm": [["A_d10_1e-3", "--source", "tilted", "--tilt", "0", "--draws", "20"]],
}  # what starts processes, servers or kernels, which these tests leave out
OPTIONS = [
    "--json", "--debug=1", "--seed", "--budget", "--set", "-e", "--estimator", "--float32",
    "--nats", "--family", "--help", "--wrong", "-q", "--density", "--rule", "--probes", "--seeds",
    "--profile", "--update", "--port", "--address", "--workers", "--source", "--tilt", "--price",
    "--draws", "--rate", "--growth", "--every", "--estimators", "--device",
]  # fmt: skip
HEAVY = {"--seconds", "--steps", "--restarts", "--run", "--store", "--out", "--plot"}


def ends_well(words):
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, words)
    assert isinstance(result.exception, SystemExit | None), (words, result.exception)
    assert result.exit_code in (0, 1, 2), words
    assert "Traceback" not in result.stderr and "fault of the workbench" not in result.stderr, words
    if result.exit_code == 2:
        assert result.stdout == "", words
        assert result.stderr.startswith("workbench: ") and result.stderr.count("\n") == 1, words


def other_words(data, begun):
    """A command line of `begun`, of which one to three words are other ones."""
    command = data.draw(st.sampled_from(list(begun)))
    words = [command, *data.draw(st.sampled_from(begun[command]))]
    text = st.one_of(st.sampled_from(ODD), st.text(max_size=6))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(words)))
        match data.draw(st.sampled_from(["replace", "insert", "drop", "option"])):
            case "replace" if at < len(words) and words[at] not in ("--budget", "--steps"):
                words[at] = data.draw(text)
            case "insert":
                words.insert(at, data.draw(text))
            case "drop":
                words = words[:at] + words[at + 2 :]
            case _:
                words += [data.draw(st.sampled_from(OPTIONS)), data.draw(text)]
    return [w for w in words if w not in HEAVY]


@pytest.fixture
def inert(monkeypatch, tmp_path):
    """An empty folder, in which nothing is started that lasts."""
    problem = starter.problem()
    monkeypatch.setattr(workers, "_processes", lambda count: iter([None]))
    monkeypatch.setattr(starter, "problem", lambda: problem)
    monkeypatch.setattr(rehearsal, "execute", lambda *args, **more: "not run")
    monkeypatch.setattr(rehearsal, "kernel", lambda folder: nullcontext("none"))
    monkeypatch.setattr(screens, "serve", lambda **settings: None)
    monkeypatch.setattr(os, "execve", lambda *args: None)
    monkeypatch.chdir(tmp_path)


@fuzz(150)
@given(st.data())
def test_fuzzed_words(data):
    ends_well(other_words(data, SMALL))


@fuzz(60)
@given(data=st.data())
def test_fuzzed_words_that_start_something(inert, data):
    words = other_words(data, STARTS)
    ends_well([w for w in words if not w.startswith(("/", "..")) or words[0] != "new"])


@pytest.mark.parametrize(
    "command", [c.name or c.callback.__name__ for c in app.registered_commands]
)
def test_every_command_refuses_what_it_does_not_know(command):
    ends_well([command, "--no-such-option"])
    ends_well([command, "--json", "--seed", "many", "--budget", "-"])
    ends_well([command, "--help"])
