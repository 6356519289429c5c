"""`workbench compare`: rows, refusals, several problems, the files it writes."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import ask, refuse, workbench
from torch import nn

import workbench as wb
from workbench import catalogue, estimators

ROOT = Path(__file__).parents[1]


class Branches(nn.Module):
    """A model that no graph can be read from."""

    def forward(self, x):
        return x if float(x.sum()) > 0 else 2.0 * x


@pytest.fixture
def unreadable(monkeypatch):
    """A problem that moments cannot serve, under the name of a catalogue one."""
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, Branches(), wb.Halfspace(torch.tensor([1.0, 0.0]), -1.0), "branches")
    monkeypatch.setattr(catalogue, "load", lambda name: problem)
    return problem


def test_it_has_a_row_for_each():
    names = ",".join(cls.name for cls in estimators.ALL)
    words = ("A_d10_1e-3", "--budget", 2000, "--seeds", 2)
    found = ask("compare", *words)
    drawn = {cls.name: 2 if cls.pace is wb.types.Pace.ASKED else 1 for cls in estimators.ALL}
    summary = found["summary"]
    assert [s["estimator"] for s in summary] == names.split(",")
    assert any("reason" in s for s in summary)  # which is no failure: nobody named them
    assert {s["estimator"]: s["seeds"] for s in summary if "reason" not in s}.items() <= (
        drawn.items()
    )
    assert found["truths"]["A_d10_1e-3"]["log10_p"] == pytest.approx(-3.0, abs=1e-6)
    assert found["interrupted"] is False
    shown = workbench("compare", *words).stdout
    assert "truth 10^-3.00 (exact)" in shown
    table, _, rest = shown.partition("Not for this problem: ")
    unfit = " ".join(rest.split()).partition(" (--estimators")[0].split(", ")
    for name in names.split(","):
        assert (name in unfit) != bool(re.search(rf"^ *{name} ", table, re.MULTILINE))


def test_it_says_why_one_cannot(unreadable):
    words = ("compare", "branches", "--budget", 500, "--estimators", "moments,monte_carlo")
    shown = workbench(*words, code=1).stdout
    (line,) = [x for x in shown.splitlines() if x.startswith("moments")]
    assert "cannot be traced" in line
    assert "no reference value" in shown
    summary = {s["estimator"]: s for s in ask(*words, code=1)["summary"]}
    assert "monte_carlo" in summary["moments"]["reason"]
    assert "reason" not in summary["monte_carlo"]


def test_it_ends_with_1_where_one_fails_and_goes_on_to_the_others(monkeypatch):
    def step(self, problem, state):
        raise wb.NotConverged("the law is NaN")

    monkeypatch.setattr(wb.Moments, "step", step)
    words = ("compare", "A_d10_1e-3", "--budget", 500)
    assert "the law is NaN" in workbench(*words, code=1).stdout
    rows = ask(*words, "--estimators", "moments,monte_carlo", code=1)["rows"]
    assert rows[0]["refused"] is False and "log10_p" in rows[1]


def test_an_answer_of_0_is_told_from_a_small_p():
    shown = workbench("compare", "A_d10_1e-20", "--estimators", "monte_carlo", "--budget", 500)
    assert "beware: not found within this budget" in shown.stdout


SEVERAL = (
    "compare", "A_d10_1e-3", "A_d10_1e-6", "A_d10_1e-3", "--estimators", "moments,monte_carlo",
    "--budget", 1000, "--seeds", 2,
)  # fmt: skip


def test_several_problems_stand_one_after_another():
    found = ask(*SEVERAL)
    assert list(found["truths"]) == ["A_d10_1e-3", "A_d10_1e-6"]
    assert [(s["problem"], s["estimator"]) for s in found["summary"]] == [
        (p, e) for p in found["truths"] for e in ("moments", "monte_carlo")
    ]
    shown = workbench(*SEVERAL).stdout
    assert shown.index("A_d10_1e-3: truth") < shown.index("A_d10_1e-6: truth")
    assert "W10" in shown


def test_csv_holds_the_runs(tmp_path):
    out = tmp_path / "runs.csv"
    rows = ask(*SEVERAL, "--out", out)["rows"]
    with out.open() as file:
        table = list(csv.DictReader(file))
    assert [float(r["log10_p"]) for r in table] == [float(r["log10_p"]) for r in rows]
    assert {r["budget_forwards"] for r in table} == {"1000"}
    assert json.loads(table[0]["settings"]) == rows[0]["settings"]


def test_parquet_holds_the_runs_with_their_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "runs.parquet"
    rows = ask(*SEVERAL, "--out", out)["rows"]
    table = parquet.read_table(out)
    assert table.column("log10_p").to_pylist() == [float(r["log10_p"]) for r in rows]
    assert str(table.schema.field("covers").type) == "bool"
    assert table.column("seed").to_pylist() == [r["seed"] for r in rows]


def test_cells_make_the_rows_again(tmp_path):
    """Each cell runs alone, in a new process, and gives the numbers of its row bit for bit."""
    out = tmp_path / "cells.py"
    summary = ask(*SEVERAL, "--out", out)["summary"]
    cells = [cell for cell in out.read_text().split("# %%\n") if cell]
    assert len(cells) == len(summary) == 4
    # A notebook prints the value of the last line; here it is printed by hand.
    for cell, row in list(zip(cells, summary, strict=True))[2:]:
        code = cell.replace("summarise(rows)", "print(repr(summarise(rows)[0]['log10_p']))")
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert float(done.stdout) == float(row["log10_p"])


def test_it_plots_into_one_file(tmp_path):
    pytest.importorskip("plotly")
    out = tmp_path / "out.html"
    workbench(*SEVERAL, "--plot", out)
    page = out.read_text()
    assert page.count("Plotly.newPlot(") >= 5  # two a problem, and the calibration
    assert 1_000_000 < len(page) < 8_000_000  # plotly.js is inside, once
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x.xlsx"], ".csv, .parquet, .py"),
        (["--out", "/no/such/folder/x.csv"], "does not exist"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(words, said):
    assert said in refuse("compare", "A_d10_1e-3", *words)


def test_what_does_not_serve_is_left_to_one_line_unless_it_was_asked_for():
    shown = workbench("compare", "A_d10_1e-3", "--budget", 500).stdout
    assert shown.count("try instead") == 0 and shown.count("Not for this problem: ") == 1
    line = " ".join(shown[shown.index("Not for this problem") :].split())
    assert "mean_field" in line and line.endswith("(--estimators NAME says why).")
    asked = workbench(
        "compare", "A_d10_1e-3", "--budget", 500, "--estimators", "mean_field,moments", code=1
    )
    said = " ".join(asked.stdout.split())
    assert "try instead" in said and "Not for this problem" not in said
