"""Benches whose rows stand by themselves go on where they were cut off."""

import json

import pytest
from commands import ask, refuse, workbench

from workbench import bench
from workbench.bench import digits, digits_checks, digits_rules, digits_tuning
from workbench.bench.base import Choice, Work, carried_out
from workbench.bench.digits_rules import METHODS, Method
from workbench.errors import BadInput


def silent(*_):
    pass


def works(made):
    def row(name):
        made.append(name)
        return {"value": float(len(made))}

    return [Work("p", m, s, lambda m=m, s=s: row((m, s))) for s in (0, 1) for m in ("a", "b")]


def test_what_is_done_is_not_measured_again():
    made = []
    first = list(carried_out(works(made), Choice(methods=("a",)), False, silent))
    assert made == [("a", 0), ("a", 1)]
    rows = list(carried_out(works(made), Choice(done=tuple(first)), False, silent))
    assert made[2:] == [("b", 0), ("b", 1)] and [r["method"] for r in rows] == list("abab")
    assert rows[0] is first[0]
    again = list(carried_out(works(made), Choice(done=tuple(first)), True, silent))
    assert again[0]["value"] == 5.0  # a full row is not a quick one
    with pytest.raises(BadInput, match="no method here is called 'c': use some of a; b"):
        list(carried_out(works(made), Choice(methods=("c",)), False, silent))


def test_rows_of_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert bench.recorded(path) == ()
    path.write_text('{"seed": 0, "log10_p": "-inf"}\n{"seed": 1, "lo')
    assert bench.recorded(path) == ({"seed": 0, "log10_p": float("-inf")},)
    assert path.read_text() == '{"seed": 0, "log10_p": "-inf"}\n'
    for text in ("nonsense\n", "[1]\n"):
        path.write_text(text)
        with pytest.raises(BadInput, match="one JSON object a line"):
            bench.recorded(path)


def test_the_command_goes_on_with_its_file(tmp_path):
    out = tmp_path / "rows.jsonl"
    part = ["training", "--quick", "--problems", digits_checks.STEP, "--methods", "standard"]
    (row,) = ask("bench", *part, "--out", out)["rows"]
    shown = workbench("bench", *part, "--out", out, "--resume").stdout
    assert out.read_text().count("\n") == 1 and json.loads(out.read_text()) == row
    assert "x plain" in shown and "P before" not in shown  # only columns that it fills
    assert "give both" in refuse("bench", *part, "--resume")
    assert "no --resume" in refuse("bench", "truth", "--out", out, "--resume")
    assert "no --budget" in refuse("bench", "training", "--budget", 5)


def test_every_rule_was_chosen_from_as_many_settings():
    assert {len(m.tried) for m in METHODS[1:]} == {4}
    assert all(m.rule in m.tried for m in METHODS[1:])
    assert digits_rules.find("PGD").title == "PGD"


def test_tuning_takes_the_lowest_p_that_keeps_the_accuracy():
    plain, other = METHODS[0], METHODS[2]

    def row(m: Method, rule, score, log10_p):
        return {"problem": m.title, "method": str(rule), "score": score, "log10_p": log10_p}

    rows = [row(plain, plain.rule, 0.98, -3.0)]
    reached = ((0.98, -3.5), (0.971, -5.0), (0.9, -9.0), (0.975, -4.0))
    rows += [row(other, r, *each) for r, each in zip(other.tried, reached, strict=True)]
    (said,) = digits_tuning.conclude(rows)
    assert said.startswith(f"{other.title}: {other.tried[1]}, 0.9 points lost; training has")
    two = [row(other, other.tried[0], 0.9, -9.0), row(other, other.tried[1], 0.965, -4.0)]
    (said,) = digits_tuning.conclude([rows[0], *two])
    assert said.startswith(f"{other.title}: {other.tried[1]}, 1.5 points lost")
    (said,) = digits_tuning.conclude([rows[0], two[0]])
    assert "8.0 points lost" in said


def test_tuning_tries_every_setting_on_seeds_of_its_own(monkeypatch):
    def zero(seed, method, quick):
        return {"rule": str(method.rule), "score": 1.0, "log10_p": -1.0 - seed % 2}

    monkeypatch.setattr(digits_tuning.digits, "zero", zero)
    rows = list(digits_tuning.TUNING.run(False, silent))
    assert [(r["problem"], r["method"], r["seed"]) for r in rows] == [
        (m.title, str(rule), seed)
        for m in METHODS for rule in m.tried or (m.rule,) for seed in (100, 101)
    ]  # fmt: skip
    assert all(r["rule"] == r["method"] for r in rows)  # each is trained by its own setting
    assert {r["seed"] for r in digits_tuning.TUNING.run(True, silent)} == {100}


def test_the_conclusion_counts_seeds_and_digits():
    def row(method, seed, score, log10_p):
        return {
            "problem": digits.ZERO, "method": method, "seed": seed, "score": score,
            "log10_p": log10_p,
        }  # fmt: skip

    rows = [
        row("standard", 0, 0.98, -2.7), row("log P", 0, 0.975, -10.0), row("PGD", 0, 0.99, -3.7),
        row("standard", 1, 0.98, -3.2), row("log P", 1, 0.95, -5.0), row("PGD", 1, 0.99, -3.5),
    ]  # fmt: skip
    head, *said = digits.conclude(rows)
    assert "on 1 of 2 seeds" in head and "10^-3 or more on 1" in head
    assert "log P: accuracy within a point of standard training on 1 of 2 seeds" in said[1]
    assert "PGD: P above that of log P by 1.5 to 6.3 digits" in said[-1]
