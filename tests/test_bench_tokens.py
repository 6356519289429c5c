"""The bench of rare tokens: its loss, its zeros, and a small part of it run."""

import math
from types import SimpleNamespace

import pytest
import torch
from scipy.optimize import minimize

import workbench as wb
from workbench import catalogue
from workbench.bench import Choice, fresh_tokens, temperature, tokens
from workbench.bench.tokens import FLOOR, TOKENS, Answer, summary
from workbench.errors import BadInput
from workbench.math import itakura_saito


def test_the_fit_is_the_best_affine_one():
    g = torch.Generator().manual_seed(0)
    truth = -10.0 * torch.rand(12, generator=g) - 5.0
    guess = 0.6 * truth + 2.0 * torch.randn(12, generator=g)

    def mean_loss(theta):
        q = theta[0] * guess + theta[1]
        return float(itakura_saito.loss(truth, q).mean())

    a, b = itakura_saito.fit(truth, guess)
    best = minimize(mean_loss, [1.0, 0.0], method="Nelder-Mead", options={"maxiter": 20_000})
    assert mean_loss([a, b]) == pytest.approx(best.fun, abs=1e-6)
    perfect = itakura_saito.left_out(truth, 2.0 * truth + 3.0)
    assert perfect == pytest.approx(0.0, abs=1e-8)


def test_zeros_are_counted_and_weigh_what_is_printed():
    truths = [-3.0, -5.0, -7.0, -9.0, -11.0]
    answers = [Answer(t, t + 0.5, 1.0, False) for t in truths[:3]]
    answers += [Answer(t, -math.inf, 1.0, t == -11.0) for t in truths[3:]]
    row = summary(answers)
    assert (row["zeros"], row["failed"], row["targets"]) == (2, 1, 5)
    assert (row["warned"], row["silent"]) == (0, 2)
    far = [Answer(-3.0, -4.5, 1.0, False, warned) for warned in (True, False)]
    assert (summary(far)["warned"], summary(far)["silent"]) == (1, 1)
    assert row["rmse"] == pytest.approx(0.5) and row["bias"] == pytest.approx(0.5)
    floored = math.sqrt((3 * 0.25 + (-9 - FLOOR) ** 2 + (-11 - FLOOR) ** 2) / 5)
    assert row["floored"] == pytest.approx(floored)


def test_a_part_of_it_runs():
    choice = Choice(("T_char1_line_1e-3",), ("monte_carlo", "gld"), 2000, 1)
    rows = list(TOKENS.choose(choice, True, lambda done, what: None))
    assert {r["method"] for r in rows} == {"monte_carlo", "gld"}
    assert {r["band"] for r in rows} == {"1e-3", "1e-8 to 1e-2", "1e-13 to 1e-2"}
    assert any("counts as 10^-16" in line for line in TOKENS.conclude(rows))


def test_a_temperature_is_tuned_on_common_targets_and_judged_on_the_others(monkeypatch):
    asked = []

    class Best:
        """Right at T = 3 on any target, a digit off at any other."""

        name = "best"

        def __init__(self, temperature):
            self.temperature = temperature

        def __call__(self, problem, budget, seed):
            asked.append((problem.truth.log10_p > temperature.MODERATE, self.temperature, budget))
            off = 0.0 if self.temperature == 3.0 else 1.0
            return SimpleNamespace(log10_p=problem.truth.log10_p + off)

    monkeypatch.setattr(temperature, "_METHODS", (Best,))
    rows = list(temperature.run(True, lambda share, what: None))
    assert {row["law"] for row in rows} == {"T_bpe_hex", "T_bpe_indent", "T_bpe_word"}
    for row in rows:
        assert (row["temperature"], row["tuned"], row["usual"]) == (3.0, 0.0, pytest.approx(1.0))
    assert {t for common, t, _ in asked if not common} == {1.0, 3.0}
    assert {b for common, _, b in asked if common} == {8192}
    assert {(t, b) for common, t, b in asked if not common} == {(1.0, 65_536), (3.0, 32_768)}
    (said,) = temperature.conclude(rows)
    assert "1.00 digits at T = 1, 0.00" in said


def test_fresh_targets_are_counted_under_laws_of_no_target(monkeypatch):
    few = {"few": ("char_2", ["letter", "any", "letter", "any"], 10, 3.0)}
    monkeypatch.setattr(fresh_tokens, "LAWS", few)
    found = list(fresh_tokens.fresh("few"))
    assert len(found) >= 2 and len({p.spec.label for p in found}) == len(found)
    for problem in found:
        assert problem.name not in catalogue.token_names()
        answer = wb.Enumeration()(problem, problem.distribution.outcomes)
        assert answer.log10_p == pytest.approx(problem.truth.log10_p, abs=1e-12)
    monkeypatch.setattr(fresh_tokens, "fresh", lambda name: iter(found[:1]))
    asked = Choice(methods=("leaves",), budget=1 << 15)
    rows = list(fresh_tokens.FRESH_TOKENS.choose(asked, False, lambda done, what: None))
    assert {r["method"] for r in rows} == {"leaves"} and rows[0]["rmse"] < 1e-9
    assert len(list(fresh_tokens.FRESH_TOKENS.conclude(rows))) == 2
    with pytest.raises(BadInput, match="makes its own targets"):
        list(fresh_tokens.choose(Choice(("T_x",)), True, lambda done, what: None))


def test_what_holds_of_importance_sampling_and_extrapolation_is_said():
    def row(band, method, loss, floored):
        return {
            "band": band, "method": method, "targets": 9, "warned": 2, "loss": loss,
            "floored": floored,
        }  # fmt: skip

    near, far = "1e-8 to 1e-2", "1e-13 to 1e-2"
    rows = [
        row(near, "itgis", 0.5, 1.0), row(near, "mhis", 0.2, 2.0), row(near, "gld", 0.3, 0.9),
        row(near, "qld", None, 0.8), row(far, "itgis", None, 1.0), row(far, "gld", 0.3, 3.0),
    ]  # fmt: skip
    _, warned, *said, _ = TOKENS.conclude(rows)
    assert warned == "warnings: itgis on 2 of 9, gld on 2 of 9"  # those of the last band
    verdicts = [
        (near, "mhis, Itakura-Saito loss after a fit 0.2) beats extrapolation (gld, 0.3)"),
        (near, "itgis, digits 1) does not beat extrapolation (qld, 0.8)"),
        (far, "itgis, digits 1) beats extrapolation (gld, 3)"),
    ]  # fmt: skip
    assert said == [
        f"P {band}, 9 targets, zeros at the floor: importance sampling ({text}"
        for band, text in verdicts
    ]


def test_methods_that_cannot_answer_are_counted_as_zeros():
    target = wb.load("T_char1_line_1e-3")
    with pytest.raises(BadInput, match="tokens are not served by 'orthant': use some of"):
        tokens.scale(True, Choice(methods=("orthant",)))
    whole = tokens.scale(True, Choice())
    assert "enumeration" not in whole.methods and "monte_carlo" in whole.methods
    assert {n[:10] for n in whole.problems} == {"T_bpe_word"} and whole.budget == 4096
    found = tokens._ask(wb.Orthant(), target, 1000, 0)
    assert (found.log10_p, found.failed, found.warned) == (-math.inf, True, True)
    with pytest.raises(BadInput, match="has no truth to be compared with"):
        tokens.truth_of(target.vary())


def test_ranks_are_those_of_spearman_and_need_five_targets():
    """Guesses 1, 2, 3, 5, 4 of truths 1 to 5: 1 - 6 x 2 / (5 x 24) = 0.9."""
    truths = [-3.0, -4.0, -5.0, -6.0, -7.0]
    guesses = [-3.0, -4.0, -5.0, -7.0, -6.0]
    answers = [Answer(t, g, 1.0, False) for t, g in zip(truths, guesses, strict=True)]
    assert summary(answers)["rank"] == pytest.approx(0.9) and summary(answers)["loss"] > 0.0
    assert summary(answers[:4])["rank"] is None is summary(answers[:4])["loss"]
