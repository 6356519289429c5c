"""Estimates on another device: nothing that is made on the way is left on the processor."""

import json

import cases
import pytest
import torch
from commands import ask, refuse
from far import far_away
from test_rules import duty as classes
from test_views_train_own import own, weights

import workbench as wb
from workbench.adversaries import families
from workbench.cli import hush, train
from workbench.device import available
from workbench.errors import BadInput
from workbench.experiments import lessons, recipe
from workbench.experiments.kinds import hushing, lesson
from workbench.experiments.sweep import estimated
from workbench.training import Defender, Duty, Referee, Task
from workbench.training.baselines import BASELINES
from workbench.training.hush import Hush
from workbench.training.pointwise import Pointwise
from workbench.training.trainer import Trainer

BUDGET = 1000
SLOW = ("leaves", "mhis", "lower", "upper", "importance", "conditioned")
ROWS = [
    pytest.param(row, marks=[pytest.mark.slow] * (row.name in SLOW), id=row.name)
    for row in cases.ROWS
    if row.name != "free_energy"  # the same, and a minute long where every operation is pretended
]


@pytest.mark.parametrize("row", ROWS)
def test_an_estimate_is_the_same_where_numbers_lie_elsewhere(row, monkeypatch):
    problem, method = wb.load(row.problem), cases.ESTIMATORS[row.name](**row.settings[0])
    here = method(problem, BUDGET, 0)
    with far_away(monkeypatch) as far:
        moved = problem.to(device=far)
        assert moved.device == far
        there = method(moved, BUDGET, 0)
        assert there.log10_p == here.log10_p
        assert there.log10_err == here.log10_err


FAMILIES = [cls for cls in families.ALL if cls().serves(wb.load("A_d10_1e-3").distribution)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda cls: cls.name)
def test_an_adversary_finds_the_same_where_numbers_lie_elsewhere(family, monkeypatch):
    """From the first step to the check of what was found."""
    estimator = wb.Conditioned() if family.name == "flow" else wb.Moments()
    search = wb.Adversary(family(), wb.KL(1.0), estimator, steps=2)
    problem = wb.load("A_d10_1e-3")
    here = search(problem, rng=0, check=1000)
    with far_away(monkeypatch) as far:
        there = search(problem.to(device=far), rng=0, check=1000)
        assert float(there.log_p) == float(here.log_p)
        assert there.checked.log10_p == pytest.approx(here.checked.log10_p, rel=1e-12)


SMALL = Referee(every=1, budget=200)
WAYS = {
    "conditioned": Defender(wb.Conditioned(lines=4), steps=2, batch=8, referee=SMALL),
    "adversary": Defender(
        wb.Moments(), wb.Adversary(region=wb.KL(1.0), estimator=wb.Moments(), steps=1), steps=2,
        batch=8, renew=1, referee=SMALL, allowance=0.05,
    ),
    "score": Defender(wb.Importance(), steps=1, gradient="score", draws=500, referee=SMALL),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_training_is_the_same_where_numbers_lie_elsewhere(way, monkeypatch, tmp_path, capsys):
    """From the first step to what the command prints, and to the card that it writes."""
    problem, x, y = own()
    duty, made = Duty(problem, Task.split(x, y)), []
    here = lesson(duty.fresh(), WAYS[way], 0)
    train.drive(here, here.walk(), True, tmp_path / "here.zip")
    with far_away(monkeypatch) as far:
        there = lessons.elsewhere(lesson(duty.fresh(), WAYS[way], 0), far)
        assert there.problem.device == there.state.theta.device == far
        train.drive(there, there.walk(), True, tmp_path / "there.zip")
    for place in ("here", "there"):
        made.append(weights(wb.load(tmp_path / f"{place}.zip")))
    assert made[0].equal(made[1]) and not made[0].equal(weights(problem))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {**told[0], "seconds": 0} == {**told[1], "seconds": 0}


RULES = [Pointwise(lines=2), *(cls() for cls in BASELINES)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_minibatches_are_the_same_where_numbers_lie_elsewhere(rule, monkeypatch):
    trainer = Trainer(rule, 2, batch=6, estimator=wb.Tangent(lines=2), referee=SMALL)
    here = lesson(classes(), trainer, 0)
    list(here.walk())
    with far_away(monkeypatch) as far:
        there = lessons.elsewhere(lesson(classes(), trainer, 0), far)
        list(there.walk())
        assert torch.equal(there.state.theta.here, here.state.theta)


def test_a_language_model_is_hushed_where_numbers_lie_elsewhere(monkeypatch, tmp_path, capsys):
    problem = wb.load("L_zap_1e-7")
    here = Hush(steps=2)(problem)
    with far_away(monkeypatch) as far:
        there = hushing(problem.to(device=far), Hush(steps=2), 0)
        hush.drive(there, there.walk(), True, tmp_path / "made.zip")
    assert json.loads(capsys.readouterr().out)["log10_p"] == list(here.log10_p)
    made = wb.load(tmp_path / "made.zip").distribution.log_probs
    assert made.equal(here.text.log_probs.detach())
    assert not made.equal(problem.distribution.log_probs.detach())


def test_commands_compute_on_the_device_that_they_are_told():
    words = ("A_d10_1e-3", "--estimators", "moments,importance", "--budget", "2000")
    usual, told = ask("compare", *words), ask("compare", *words, "--device", "cpu")
    assert [r["log10_p"] for r in told["rows"]] == [r["log10_p"] for r in usual["rows"]]
    row = estimated({"problem": "A_d10_1e-3", "estimator": "moments", "device": "cpu"})
    assert row["log10_p"] == usual["rows"][0]["log10_p"]
    words = ("train", "plane", "--steps", "1", "--nats", "0")
    told = [ask(*words, *more) for more in ((), ("--device", "cpu"))]
    assert {**told[0], "seconds": 0} == {**told[1], "seconds": 0}
    text = recipe("digits", wb.Moments(), wb.Budget(1000), range(2), "cuda:1")
    assert "wb.load('digits').to(device='cuda:1'), wb.Moments()" in text


def test_what_is_left_behind_is_noticed(monkeypatch):
    with far_away(monkeypatch) as far:
        moved = wb.load("A_d10_1e-3").to(device=far)
        with pytest.raises(RuntimeError, match="two devices"):
            moved.margin(torch.zeros(2, 10))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("row", cases.ROWS, ids=lambda r: r.name)
def test_a_gpu_gives_what_the_processor_gives(row):
    method = cases.ESTIMATORS[row.name](**row.settings[0])
    there = method(wb.load(row.problem).to(device="cuda"), BUDGET, 0)
    again = method(wb.load(row.problem).to(device="cuda"), BUDGET, 0)
    assert there.log10_p == again.log10_p
    if not row.sampled:
        here = method(wb.load(row.problem), BUDGET, 0)
        assert there.log10_p == pytest.approx(here.log10_p, rel=1e-6)


def test_a_device_that_is_not_there_is_named_in_a_sentence():
    there = ", ".join(str(d) for d in available())
    for wrong in ("cuda:77", "gpu"):
        with pytest.raises(BadInput, match=f"no device '{wrong}' here: use one of {there}"):
            wb.load("A_d10_1e-3").to(device=wrong)
        for command in ("estimate", "compare", "sweep", "attack"):
            assert there in refuse(command, "A_d10_1e-3", "--device", wrong)
        assert there in refuse("train", "plane", "--device", wrong)
    kept_in = {"estimate": "--run", "attack": "--run", "sweep": "--runs", "train": "--run"}
    for command, kept in kept_in.items():
        told = refuse(command, "A_d10_1e-3", "--device", "cpu", kept, "somewhere")
        assert f"leave out {kept} or --device" in told
