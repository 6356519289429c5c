"""Estimators side by side: rows, refusals, interrupts, summaries."""

import math
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.estimators import Needs
from workbench.experiments import Attempt, compare, error_in_digits, summarise, truth_row
from workbench.iteration import State


class Branches(nn.Module):
    """A model that no graph can be read from."""

    def forward(self, x):
        return x if float(x.sum()) > 0 else 2.0 * x


@dataclass(frozen=True)
class Hangs(wb.Estimator):
    """Counts to two, then is interrupted."""

    name: ClassVar[str] = "hangs"
    kind: ClassVar[wb.Kind] = wb.Kind.HEURISTIC
    grad: ClassVar[wb.Grad] = wb.Grad.NONE
    needs: ClassVar[Needs] = Needs()

    def init(self, problem, rng):
        return State(rng=rng)

    def step(self, problem, state):
        if state.steps == 2:
            raise KeyboardInterrupt
        return replace(state, forwards=state.forwards + 10)

    def read(self, state):
        log_p = torch.tensor(-float(state.forwards))
        return wb.Estimate(log_p, 0.5, self.kind)


@pytest.fixture(scope="module")
def exact():
    return wb.load("A_d10_1e-3")


def test_problems_of_one_name_are_told_apart(exact):
    """Else their rows would be summed up as repeats of one."""
    other = exact.vary(spec=exact.spec.shift(0.5))
    found = summarise(list(compare([exact, other, exact], wb.Moments())))
    assert [row["problem"] for row in found] == [exact.name + n for n in ("", " (2)", " (3)")]
    assert found[0]["log10_p"] == found[2]["log10_p"] > found[1]["log10_p"]
    assert [row["seeds"] for row in found] == [1, 1, 1]


def unreadable():
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    return wb.Problem(d, Branches(), wb.Halfspace(torch.tensor([1.0, 0.0]), -1.0))


def row(**values):
    usual = {
        "problem": "p", "estimator": "e", "settings": {}, "kind": "unbiased", "log10_p": -3.0,
        "log10_err": 0.1, "error": 0.0, "covers": True, "forwards": 10, "flops": 1.0,
        "seconds": 0.5, "truth": -3.0, "truth_se": 0.0, "warning": "",
    }  # fmt: skip
    return {**usual, **values}


def test_attempt_gives_what_the_estimator_gives(exact):
    attempt = Attempt(exact, wb.MonteCarlo(batch=512), wb.Budget(3000), seed=4)
    assert not attempt.started
    shares = []
    attempt.run(shares.append)
    straight = wb.MonteCarlo(batch=512)(exact, 3000, 4)
    assert attempt.estimate().log10_p == straight.log10_p
    assert attempt.estimate().cost.forwards == straight.cost.forwards == 3000
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_rows_are_the_estimates_beside_the_truth(exact):
    rows = list(compare(exact, [wb.Moments(), wb.MonteCarlo()], wb.Budget(20_000), range(3)))
    assert [(r["estimator"], r["seed"]) for r in rows] == [
        ("moments", 0),  # which does not depend on the seed
        *(("monte_carlo", k) for k in range(3)),
    ]
    assert abs(rows[0]["error"]) < 1e-9  # exact on a linear model
    for r in rows[1:]:
        straight = wb.MonteCarlo()(exact, 20_000, r["seed"])
        assert r["log10_p"] == straight.log10_p
        assert r["log10_interval"] == list(straight.log10_interval)
        assert r["error"] == error_in_digits(straight.log10_p, exact.truth.log10_p)
        assert r["forwards"] == 20_000
    assert rows[0]["covers"] is None


def test_rows_come_as_they_finish(exact):
    rows = compare(exact, [wb.Moments(), Hangs()], wb.Budget(100))
    assert next(rows)["estimator"] == "moments"  # before the other one has begun


def test_intervals_of_monte_carlo_cover(exact):
    """Each covers with at least 95%: 14 or fewer of 20 has probability below 4e-4."""
    rows = compare(exact, [wb.MonteCarlo()], wb.Budget(20_000), range(20))
    (summary,) = summarise(rows)
    assert summary["intervals"] == 20
    assert summary["covered"] >= 15


def test_a_refusal_is_a_row_that_says_why():
    rows = list(compare(unreadable(), [wb.Moments(), wb.MonteCarlo()], wb.Budget(500), range(2)))
    assert [r["estimator"] for r in rows] == ["moments", "monte_carlo", "monte_carlo"]
    assert "branch" in rows[0]["reason"] and "monte_carlo" in rows[0]["reason"]
    first, second = summarise(rows)
    assert first["reason"] == rows[0]["reason"] and "log10_p" not in first
    assert second["seeds"] == 2


def test_an_interrupt_yields_what_there_is_and_goes_on(exact):
    rows = compare(exact, [wb.Moments(), Hangs(), wb.Moments()], wb.Budget(1000))
    assert "interrupted" not in next(rows)
    partial = next(rows)
    assert partial["interrupted"] is True
    assert partial["forwards"] == 20
    assert partial["log10_p"] == pytest.approx(-20 / math.log(10), rel=1e-12)
    with pytest.raises(KeyboardInterrupt):
        next(rows)


def test_report_tells_a_share_that_only_grows(exact):
    told = []
    report = lambda share, label: told.append((share, label))  # noqa: E731
    list(compare(exact, [wb.MonteCarlo(), wb.GLD()], wb.Budget(5000), range(2), report))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0.0
    assert shares[-1] == pytest.approx(1.0, rel=1e-12)
    assert {label for _, label in told} == {
        "monte_carlo, seed 0", "monte_carlo, seed 1", "gld, seed 0", "gld, seed 1",
    }  # fmt: skip


def test_one_of_each_a_name_and_a_number_will_do(exact):
    (row,) = compare(exact, wb.Moments(), 20_000)
    (same,) = compare([exact], [wb.Moments()], wb.Budget(20_000))
    named, _ = compare(["A_d10_1e-6", exact], wb.Moments())
    assert row["log10_p"] == same["log10_p"]
    assert named["log10_p"] == pytest.approx(-6.0, abs=1e-6)


@pytest.mark.parametrize(
    "problems, estimators, said",
    [
        (3, wb.Moments(), "takes problems, .* got 3"),
        ([3], wb.Moments(), r"takes problems, such as wb.load\(\"digits\"\), got 3"),
        ("digits", "moments", r"takes estimators, such as wb.Subset\(\), got 'moments'"),
        ("digits", [wb.Moments], r"takes estimators, .* got <class"),
        ("digitz", wb.Moments(), "did you mean digits"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_run(problems, estimators, said):
    with pytest.raises(wb.BadInput, match=said):
        compare(problems, estimators)


def test_summary_is_median_range_and_coverage():
    rows = [
        row(log10_p=-3.0, error=0.0, covers=True, seconds=1.0),
        row(log10_p=-5.0, error=-2.0, covers=False, seconds=2.0),
        row(log10_p=-math.inf, error=-math.inf, log10_err=math.inf, covers=True, seconds=9.0),
    ]
    (summary,) = summarise(rows)
    assert summary["log10_p"] == -5.0 and summary["error"] == -2.0
    assert (summary["log10_low"], summary["log10_high"]) == (-math.inf, -3.0)
    assert (summary["covered"], summary["intervals"], summary["zeros"]) == (2, 3, 1)
    assert summary["log10_err"] == 0.1 and summary["seconds"] == 2.0


def test_summary_keeps_settings_apart():
    rows = [row(settings={"batch": 1}), row(settings={"batch": 2}), row(settings={"batch": 1})]
    assert [s["seeds"] for s in summarise(rows)] == [2, 1]


@pytest.mark.parametrize(
    ("se", "covers"),
    [(0.0, False), (0.2, True)],  # -20 / ln 10 +- 1.96 * 0.5 / ln 10 ends 0.3 below -7.96
)
def test_the_truth_may_be_off_by_its_own_error(exact, se, covers):
    truth = wb.Truth(-7.96, se, "made up")
    problem = replace(exact, truth=truth)
    attempt = Attempt(problem, Hangs(), wb.Budget(20), seed=0)
    attempt.run()
    assert attempt.row()["covers"] is covers
    assert truth_row(problem) == {"log10_p": -7.96, "se_log10": se, "method": "made up"}


def test_without_a_truth_nothing_is_compared(exact):
    problem = exact.vary(spec=exact.spec.shift(0.1))
    (found,) = compare(problem, [wb.MonteCarlo()], wb.Budget(500))
    assert found["error"] is None and found["covers"] is None
    assert truth_row(problem) is None


def test_problems_are_compared_one_after_another(exact):
    other, told = wb.load("A_d10_1e-6"), []
    rows = list(
        compare([exact, other], [wb.Moments(), wb.MonteCarlo()], wb.Budget(500), (0, 1),
                lambda share, label: told.append((share, label)))
    )  # fmt: skip
    names = [(r["problem"], r["estimator"]) for r in rows]
    each = ["moments", "monte_carlo", "monte_carlo"]
    assert names == [(p.name, e) for p in (exact, other) for e in each]
    assert {r["truth"] for r in rows} == {exact.truth.log10_p, other.truth.log10_p}
    assert [s["problem"] for s in summarise(rows)] == [exact.name] * 2 + [other.name] * 2
    assert told[0] == (0.0, "A_d10_1e-3: moments")
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_summary_prices_an_error_of_a_tenth():
    """Plain Monte Carlo at P = 1e-3 costs (1 - P) / P / 0.01 = 99,900 forwards for it.

    From 60 repeats the variance is known to 18%, so four standard errors are within 1.75 times.
    """
    problem = wb.load("A_d10_1e-3")
    rows = compare(problem, [wb.MonteCarlo()], wb.Budget(50_000), range(60))
    (summary,) = summarise(rows)
    assert 99_900 / 1.75 < summary["w10"] < 99_900 * 1.75
    assert summary["mean_of_truth"] is None


def test_summary_says_where_no_averaging_helps():
    rows = [row(log10_p=-4.0 + 0.01 * k, error=-1.0 + 0.01 * k, covers=False) for k in range(5)]
    (summary,) = summarise(rows)
    assert summary["w10"] is None
    assert summary["mean_of_truth"] == pytest.approx(0.1047, abs=1e-3)
    unknown = [{**r, "truth": None, "truth_se": None, "error": None, "covers": None} for r in rows]
    assert summarise(unknown)[0]["w10"] is not None
    assert summarise([{**r, "kind": "heuristic"} for r in unknown])[0]["w10"] is None


def test_seconds_are_those_of_its_own_steps(exact):
    attempt = Attempt(exact, wb.MonteCarlo(batch=500), wb.Budget(1500), seed=0)
    for _ in attempt.walk():
        time.sleep(0.3)  # another job has its turn: twice before the last step
    assert 0 < attempt.row()["seconds"] < 0.6
