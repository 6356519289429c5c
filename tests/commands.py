"""The command line as tests call it."""

import json

import pytest
from typer.testing import CliRunner

from workbench.cli import app

KEYS = [
    "problem", "estimator", "settings", "kind", "log_p", "log10_p", "log_err", "forwards",
    "flops", "seconds", "seed", "info",
]  # fmt: skip


def workbench(*words, code=0, **env):
    """Run a command in this process; its stdout."""
    runner = CliRunner(env={"COLUMNS": "100", **env})
    result = runner.invoke(app, [str(w) for w in words])
    assert result.exit_code == code, result.output
    return result


def ask(*words, code=0):
    """The one JSON object that a command prints."""
    result = workbench(*words, "--json", code=code)
    assert result.stderr == ""
    return one_object(result.stdout)


def one_object(text):
    assert text.count("\n") == 1 and text.endswith("\n")
    found = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert isinstance(found, dict)
    return found


def refuse(*words):
    """The one sentence that a command ends with."""
    result = workbench(*words, code=2)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("workbench: ")
    assert "Traceback" not in result.stderr and "fault of the workbench" not in result.stderr
    return result.stderr
