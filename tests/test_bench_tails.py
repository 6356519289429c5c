"""The bench of deterministic tails, and the problems that it makes."""

import math
from dataclasses import replace

import pytest
import torch

import workbench as wb
from workbench.bench import claims, held_out, tails
from workbench.bench.base import Choice


def test_tails_measures_reference_and_held_out_problems(monkeypatch):
    monkeypatch.setattr(tails, "_TIMES", 1)  # gradients are timed once
    rows = list(tails.run(True, lambda *_: None))
    assert {r["family"] for r in rows} == {"linear", "random", "digits", "triggers", "held out"}
    ours = {r["problem"]: r for r in rows if r["estimator"] == "conditioned"}
    assert abs(ours["A_d10_1e-12"]["error"]) < 1e-9
    assert abs(ours["C_digits_p22_s20"]["error"]) < 0.1
    assert ours["C_digits_p22_s20"]["gradient_error"] < 0.05
    assert "gradient_error" not in ours["D_needle_1e-6"]
    said = list(tails.conclude(rows))
    assert any(s.startswith("conditioned, held out: ") for s in said)


@torch.no_grad()
def test_held_out_problems_are_made_anew_and_alike():
    one, again = held_out.random_net(24, 2, 0.1, 4.0), held_out.random_net(24, 2, 0.1, 4.0)
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.margin(x), again.margin(x))
    digit = held_out.noised_digit(3, 0.1)
    assert float(digit.margin(digit.distribution.mean[None])) < 0.0  # read rightly without noise


def test_claims_sets_the_error_beside_the_one_foretold():
    choice = Choice(problems=("pair of factors",), methods=("conditioned",), seeds=1)
    (row,) = claims.choose(choice, True, lambda *_: None)
    assert row["times"] == pytest.approx(
        abs(row["error"]) / (row["foretold"] ** 2 + row["truth_se"] ** 2) ** 0.5
    )
    warned = {**row, "warning": "it may be off", "error": 1.0}
    said = list(claims.conclude([row, warned]))
    assert said[0].startswith("conditioned: 1 networks, |error| median ")
    assert said[1] == "conditioned warned of 1, off by 1 at most."
    with pytest.raises(wb.BadInput, match="nothing here is called 'saw'"):
        next(claims.choose(Choice(problems=("saw",)), True, lambda *_: None))


def test_what_foretells_no_error_is_judged_by_its_errors_alone():
    never = wb.problem.Truth(-math.inf, math.inf, "no draw fails")
    row = claims.measured(replace(wb.load("A_d10_1e-12"), truth=never), "conditioned", 2_000)
    assert "error" not in row and row["truth"] == -math.inf
    told = {"method": "m", "warning": "", "forwards": 7, "error": -0.5}
    first, *_ = claims.conclude([told, row])
    assert first == "m: 1 networks, |error| median 0.5 digits, worst 0.5."
    first, *_ = claims.conclude([told, {**told, "error": 0.1, "times": 2.5}])
    assert first.endswith("within 2 times the error foretold on 0 of 1, at worst 2.5 times it.")


def test_tails_tell_warned_vague_and_lost_answers_apart():
    def row(error, **more):
        usual = {"truth_se": 0.0, "warning": "", "indicator": None, "forwards": 10}
        return {"estimator": "e", "family": "f", "error": error, **usual, **more}

    rows = [
        row(0.1, indicator=0.06), row(-math.inf), row(9.0, warning="far"), row(5.0, truth_se=9.0),
        {"estimator": "e", "family": "g", "reason": "it cannot"},
    ]  # fmt: skip
    said = next(iter(tails.conclude(rows)))
    assert said.startswith("e, f: 2 problems, |error| median inf digits, worst inf")
    assert "below twice the digits foretold on 1 of 1; P = 0 on 1." in said
    assert "Warned of 1, off by 9 at most." in said


def test_only_gradients_that_are_known_are_judged():
    known = wb.load("C_digits_p8_s15")
    assert tails._gradient(known.vary(), wb.Moments()) == {}
    d = known.distribution
    tied = wb.Gaussian(d.mean, covariance=torch.diag(d.scale.square()) + 1e-4)
    mixed = replace(known.vary(distribution=tied), truth=known.truth)
    assert tails._gradient(mixed, wb.Moments()) == {}
