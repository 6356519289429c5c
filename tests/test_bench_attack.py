"""The bench of adversaries against baselines, on a linear problem whose best D is known."""

import math

import pytest
from scipy.special import log_ndtr

import workbench as wb
from workbench.adversaries import BASELINES, families, sweep
from workbench.bench import attack
from workbench.bench.attack import ATTACK

LN10 = math.log(10.0)


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_on_a_linear_problem_every_row_is_a_closed_form(monkeypatch):
    """From 10^-6, kappa nats move the mean by sqrt(2 kappa): no shift does better."""
    monkeypatch.setattr(attack, "LIMITS", (1.0, 2.0, 4.0))
    monkeypatch.setattr(attack, "_STEPS", 6)
    monkeypatch.setattr(attack, "_STARTS", 1)
    monkeypatch.setattr(attack, "_CHECK", 10_000)
    monkeypatch.setattr(attack, "OURS", (families.Shifted(), families.Shifted()))
    linear = wb.load("A_d10_1e-6")
    monkeypatch.setattr(attack, "problems", lambda quick: [linear])
    *slow, fought, timed = ATTACK.run(True, silent)
    b = 4.753424308822899  # Phi(-b) = 10^-6

    def best(nats):
        return log_ndtr(math.sqrt(2.0 * nats) - b) / LN10

    assert [r["part"] for r in slow] == ["linear"] * 2 and slow[1]["nats"] > slow[0]["nats"]
    for row in slow:
        assert row["rival_log10_p"] == pytest.approx(best(row["nats"]), abs=1e-5)
        assert abs(row["off"]) < 1e-6 and row["log10_p_reference"] == pytest.approx(-6.0, abs=1e-4)
        assert abs(row["gap"]) < 6.0 * row["shifted_err"]
    assert fought["limit"] == 4.0 and fought["nats"] <= 4.0 * (1.0 + 1e-6)
    names = [cls.name for cls in BASELINES]
    assert fought["rival"] in names
    assert fought["rival_log10_p"] == max(fought[name] for name in names)
    for name in ("shifted", fought["rival"]):  # 6 standard errors of the check above no best D
        err = fought["shifted_err"] if name == "shifted" else fought["rival_err"]
        assert fought[name] < best(4.0) + 6.0 * err
    assert fought["shifted"] > best(4.0) - 6.0 * fought["shifted_err"]
    assert timed["problem"] == "digits" and timed["rival"] == "8 steps" and timed["seconds"] > 0.0
    told = list(ATTACK.conclude(slow))
    assert told[0] == "Linear problems: log P within 0.00% of the closed form."


def test_two_of_the_problems_were_never_tuned_on():
    *named, digit, net = attack.problems(False)
    assert tuple(p.name for p in named) == attack.NAMED
    assert not {digit.name, net.name} & set(attack.NAMED)
    assert [p.name for p in attack.problems(True)] == ["C_digits_p1_s10"]


def test_who_is_ahead_is_counted_within_two_errors_of_both_checks():
    """The root of 0.03^2 + 0.04^2 is 0.05: 0.1 behind is even, 0.11 is behind."""

    def row(problem, shifted, low_rank, gap):
        return {
            "part": "baselines", "problem": problem, "rival_log10_p": -1.0, "rival_err": 0.04,
            "shifted": shifted, "shifted_err": 0.03, "low_rank": low_rank, "low_rank_err": None,
            "gap": gap,
        }  # fmt: skip

    rows = [
        row("p", -1.09, -2.0, 0.1), row("p", -1.11, -1.07, -0.3), row("q", -0.9, -0.5, 0.2),
        {"part": "time", "rival": "200 steps", "seconds": 12.34},
    ]  # fmt: skip
    head, shift, low, both, gap, seconds = ATTACK.conclude(rows)
    assert head.startswith("At equal forwards")
    assert "a shift: in 2 of 3 cases; at every limit on 1 of 2 problems" in shift
    assert "low rank: in 2 of 3 cases; at every limit on 1 of 2 problems" in low
    assert "both: in 3 of 3 cases; at every limit on 2 of 2 problems" in both
    assert "0.200 digits in the median" in gap
    assert seconds == "200 steps on the digits took 12.3 s."


def test_what_nobody_checked_counts_as_never():
    quick = wb.Adversary(estimator=wb.Moments(), steps=1)
    (found,) = sweep(wb.load("A_d10_1e-6"), quick, (1.0,), check=0)
    assert found.checked is None
    assert attack._checked(found) == -math.inf and attack._error(found) is None
    assert attack._row("linear", found)["gap"] is None
