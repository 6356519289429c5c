"""Whatever is typed ends with 0, 1 or 2, and with one sentence where it does not serve."""

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from workbench.cli import app

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
OPTIONS = [
    "--json", "--debug=1", "--seed", "--budget", "--set", "-e", "--estimator", "--float32",
    "--nats", "--family", "--help", "--wrong", "-q", "--density", "--rule", "--probes", "--seeds",
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


@fuzz(150)
@given(st.data())
def test_fuzzed_words(data):
    command = data.draw(st.sampled_from(list(SMALL)))
    words = [command, *data.draw(st.sampled_from(SMALL[command]))]
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
    ends_well([w for w in words if w not in HEAVY])


@pytest.mark.parametrize(
    "command", [c.name or c.callback.__name__ for c in app.registered_commands]
)
def test_every_command_refuses_what_it_does_not_know(command):
    ends_well([command, "--no-such-option"])
    ends_well([command, "--json", "--seed", "many", "--budget", "-"])
    ends_well([command, "--help"])
