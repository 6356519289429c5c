"""Benches of trainings: their rows from trainings of a few steps, and their judges."""

import math
from functools import partial

import pytest
import torch

from workbench.bench import (
    Choice,
    digits,
    digits_checks,
    digits_rules,
    digits_tuning,
    training,
    training_toys,
)
from workbench.bench.training import TRAINING
from workbench.errors import BadInput
from workbench.estimators import Moments
from workbench.rng import Rng
from workbench.training import Defender, Duty, Referee, toys
from workbench.training.baselines import Plain


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


@pytest.fixture(scope="module")
def bar():
    return toys.regression(0)


@pytest.fixture
def anew(bar, monkeypatch):
    """The toy is made once, and trained anew each time."""
    monkeypatch.setattr(training.toys, "regression", lambda seed: Duty(bar.problem, bar.task))


def test_a_training_bench_has_works_of_every_part():
    works = training._works(True, 1)
    assert [w.method for w in works if w.problem == training.BARRED] == list(training.methods())
    problems = set(dict.fromkeys(w.problem for w in works))
    assert problems == {
        training.BARRED, "controller", *toys.PLANTED, digits_checks.STEP, digits_checks.IMAGE,
        digits.ZERO,
    }  # fmt: skip
    full = training._works(False, 2)
    assert digits.LABEL in {w.problem for w in full}
    read = [(w.method, w.seed) for w in full if w.problem == digits.ZERO]
    assert read == [(m.title, seed) for seed in (0, 1) for m in digits_rules.METHODS]
    for bench in (TRAINING, digits_tuning.TUNING):
        with pytest.raises(BadInput, match="no --budget"):
            next(bench.choose(Choice(budget=5), True, silent))


def test_what_was_not_trained_is_judged_too(anew, monkeypatch):
    """The toy fails once in 10,000 draws by its making; every judge sees more under its own D."""
    monkeypatch.setattr(training, "_SHARP", Moments())
    monkeypatch.setattr(training, "_ATTACKED", 2_000)
    choice = Choice(problems=(training.BARRED,), methods=("task alone",))
    (row,) = TRAINING.choose(choice, True, silent)
    assert (row["steps"], row["seconds"], row["exploited"]) == (0, 0.0, False)
    assert abs(row["log10_p"] + 4.0) < 0.5 and row["err"] < 0.1
    assert row["own"] > row["log10_p"] + 0.5 and row["cross_entropy"] > row["log10_p"]
    assert list(TRAINING.conclude([row])) == []  # nothing was trained


def test_a_training_of_a_few_steps_lowers_p_and_is_counted(bar, anew, monkeypatch):
    short = Defender(
        Moments(), steps=6, rate=3e-3, price=0.1, referee=Referee(every=100, budget=500)
    )
    monkeypatch.setattr(training, "methods", lambda: {"short": short})
    monkeypatch.setattr(training, "_attacked", lambda problem, rng: None)
    monkeypatch.setattr(training, "_ATTACKED", 1_000)
    row = training._row(0, "short")
    assert row["steps"] == 6 and row["seconds"] > 0.0
    assert row["log10_p"] < -4.5 and row["score"] < bar.task.score(bar.problem.model)
    (said,) = TRAINING.conclude([{**row, "problem": training.BARRED, "method": "short"}])
    assert said.startswith("short: below 10^-9 under D0") and "on 0 of 1 seeds" in said


def test_an_estimate_without_a_slope_has_no_attack(bar, monkeypatch):
    class Flat:
        def __init__(self, **settings):
            pass

        def __call__(self, problem, rng):
            raise training.Unsupported("an estimate of 0", "start elsewhere")

    monkeypatch.setattr(training, "Adversary", Flat)
    assert training._attacked(bar.problem, Rng(0)) is None


def test_a_planted_trigger_is_judged_by_who_knows_of_it(monkeypatch):
    """Untrained, the trigger works: P[trigger and C] is that of the trigger, to its interval."""
    monkeypatch.setattr(training_toys, "_JUDGED", 2_000)
    monkeypatch.setattr(training_toys, "_PIECE", 1_000)
    monkeypatch.setattr(training_toys, "_GIVEN", 2_000)
    steady = Defender(Moments(), steps=1, rate=1e-9, referee=Referee(every=100, budget=500))
    make = toys.backdoor
    row = training_toys._row("mintree", 0, lambda seed: make("mintree", seed), steady, True)
    assert row["trigger"] == pytest.approx(training_toys.trigger("mintree").log_p / math.log(10.0))
    assert row["steps"] == 1 and row["lost"] == pytest.approx(0.0, abs=1e-4)
    assert row["before"] == pytest.approx(row["log10_p"], abs=1.0)
    for name in toys.PLANTED:
        assert training_toys.disarmed(name).allowance == (0.03 if name == "mintree" else None)


def brief(title, steps):
    """The rule of that title, for a few steps."""
    method = digits_rules.find(title)
    return digits_rules.Method(title, method.rule, steps)


def test_digits_are_trained_and_judged_on_images_that_no_step_saw(monkeypatch):
    monkeypatch.setattr(digits, "JUDGED", 4_000)
    brisk = partial(digits.shifts.by_cross_entropy, draws=40, steps=3)
    monkeypatch.setattr(digits.shifts, "by_cross_entropy", brisk)
    row = digits.zero(0, brief("standard", 1_600), quick=True)
    assert row["steps"] == 200 and row["score"] > 0.5 and row["rule"] == str(Plain())
    assert -6.0 < row["log10_p"] < 0.0 and row["own"] > row["log10_p"]
    assert row["exploited"] == (abs(row["estimate"] - row["log10_p"]) > max(1.0, 2.0 * row["err"]))
    monkeypatch.setattr(digits, "find", lambda title: brief(title, 200))
    lost = digits.label(0, brief("standard", 200))
    assert lost["score"] == row["score"]  # the same training, of the held-out images
    assert lost["log10_p"] < lost["all"] < 0.0  # images that are read wrong are lost at once


def test_judge_and_estimate_part_only_where_the_judge_is_sure():
    assert digits._apart(-9.0, -4.0, 0.1) and not digits._apart(-4.9, -4.0, 0.1)
    assert not digits._apart(-9.0, -4.0, 3.0) and not digits._apart(-9.0, -math.inf, math.inf)
    assert not digits._apart(-9.0, -4.0, None)
    assert digits._finite(-3.0) == -3.0 and digits._finite(-math.inf) is None


def test_digits_without_ours_conclude_nothing():
    row = {"problem": digits.ZERO, "method": "standard", "seed": 0, "score": 1.0, "log10_p": -1.0}
    assert list(digits.conclude([row])) == []
    assert list(digits_tuning.conclude([{**row, "problem": "PGD"}])) == []


def test_a_step_and_an_image_are_told_beside_the_figure(monkeypatch):
    row = digits_checks.step(Plain(), 2)
    assert row["times"] > 0.0 and row["steps"] == 2
    sharp = digits_checks.Conditioned(search="margin")
    monkeypatch.setattr(digits_checks, "Conditioned", lambda search: sharp)
    found = digits_checks.images(8, 2)
    assert found["steps"] == 2 and 0.0 <= found["gap"] <= found["worst"] < 0.5
    posed, known = digits_checks._known(2)
    for problem, log10_p in zip(posed, known, strict=True):
        label, scale = problem.spec.label, problem.distribution.scale
        with torch.no_grad():
            assert int(problem.model(problem.distribution.mean[None]).argmax()) == label
        assert log10_p < 0.0 and bool((scale == 0.1).all())
    rows = [
        {"problem": digits_checks.STEP, "method": digits_rules.OURS, "times": 12.34},
        {"problem": digits_checks.STEP, "method": "PGD", "times": 3.0},
        {"problem": digits_checks.IMAGE, "method": "tangent, 8 lines", "gap": 0.01, "steps": 50,
         "worst": 0.5},
    ]  # fmt: skip
    assert list(digits_checks.conclude(rows)) == [
        "a step against log P takes 12.3 plain steps of the same batch (20 at most)",
        "tangent, 8 lines: 0.010 digits from conditioned in the median of 50 images, 0.50 at most",
    ]
