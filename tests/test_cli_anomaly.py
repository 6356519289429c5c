"""`workbench anomaly`: labelled testbeds, a problem's failures, and inputs out of a file."""

import csv

import pytest
from commands import ask, refuse, workbench

from workbench.anomaly import detectors, make_testbed


def test_detectors_are_held_against_a_testbed():
    told = ask("anomaly", "mintree", "--inputs", "40", "--seeds", "2", "-d", "unexplained,unlikely")
    assert len(told["rows"]) == 4 and len(told["summary"]) == 2
    blind, sees = (row["auroc"] for row in told["summary"])
    assert blind == 0.5 and sees > 0.95
    values = [row["auroc"] for row in told["rows"] if row["detector"] == "unlikely"]
    assert sees == pytest.approx(sum(values) / 2)


def test_all_of_them_are_tried_and_written_down(tmp_path):
    file = tmp_path / "rows.csv"
    words = ["anomaly", "mintree", "--inputs", "20", "--out", file]
    shown = workbench(*words).output
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["detector"] for row in rows] == [cls.name for cls in detectors.ALL]
    assert all(row["detector"] in shown for row in rows)


def test_the_failures_of_any_problem_are_told_from_its_draws():
    told = ask("anomaly", "A_d10_1e-6", "--inputs", "50", "-d", "output")
    (row,) = told["rows"]
    assert row["testbed"] == "A_d10_1e-6" and row["auroc"] == 1.0  # the margin tells failures


def test_detectors_that_do_not_serve_are_named_and_the_others_answer():
    """A linear model has no hidden activations to look at."""
    words = ["anomaly", "A_d10_1e-3", "--inputs", "20"]
    shown = workbench(*words).stdout
    assert "Not for this problem: mahalanobis, quantum_entropy, svd," in " ".join(shown.split())
    assert "output" in shown.split("Not for")[0] and "unlikely" in shown.split("Not for")[0]
    named = workbench(*words, "-d", "output,svd").stdout
    assert "an activation that all later values go through is needed" in " ".join(named.split())
    assert "hidden activations of this model" in refuse(*words, "-d", "svd")


@pytest.fixture
def inputs(tmp_path):
    bed = make_testbed("mintree", 0, 2)
    file = tmp_path / "x.csv"
    lines = [*bed.anomalous.tolist(), *bed.trusted[:3].tolist()]
    names = [f"x{i}" for i in range(len(lines[0]))]
    file.write_text("\n".join(",".join(map(str, line)) for line in [names, *lines]) + "\n")
    return file


@pytest.mark.parametrize("place", ["mintree", "D_mintree_1e-7"])
def test_inputs_of_unknown_kind_are_scored(place, inputs):
    told = ask("anomaly", place, "--judge", inputs, "-d", "unlikely")
    assert told["summary"] is None and [row["input"] for row in told["rows"]] == [0, 1, 2, 3, 4]
    assert all((row["margin"] > 0) == (row["input"] < 2) for row in told["rows"])
    assert min(row["above"] for row in told["rows"][:2]) > 0.95
    assert "normal ones below" in workbench("anomaly", place, "--judge", inputs, "-d", "svd").output


def test_what_does_not_serve_is_refused(tmp_path, inputs):
    assert "no detector" in refuse("anomaly", "mintree", "-d", "nothing")
    assert "no problem" in refuse("anomaly", "nothing")
    assert "of one detector" in refuse("anomaly", "mintree", "--set", "share=0.5")
    assert "has no setting" in refuse("anomaly", "mintree", "-d", "output", "--set", "share=0.5")
    assert "at least" in refuse("anomaly", "mintree", "--seeds", "0")
    assert "leave out --seeds" in refuse("anomaly", "mintree", "--judge", inputs, "--seeds", "2")
    assert "(k, 10)" in refuse("anomaly", "A_d10_1e-6", "--judge", inputs, "-d", "output")
    odd = tmp_path / "odd.csv"
    for text, said in [("", "holds no inputs"), ("1,2\n3\n", "input 2"), ("1,nan\n", "input 1")]:
        odd.write_text(text)
        assert said in refuse("anomaly", "mintree", "--judge", odd)
    odd.write_bytes(b"\xff\xfe1,2")
    assert "comma-separated" in refuse("anomaly", "mintree", "--judge", odd)
    assert "missing.csv" in refuse("anomaly", "mintree", "--judge", tmp_path / "missing.csv")
