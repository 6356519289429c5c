"""Estimates on another device: nothing that is made on the way is left on the processor."""

import cases
import pytest
import torch
from commands import ask, refuse
from far import far_away

import workbench as wb
from workbench.adversaries import families
from workbench.device import available
from workbench.errors import BadInput
from workbench.experiments import recipe
from workbench.experiments.sweep import estimated

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


def test_commands_compute_on_the_device_that_they_are_told():
    words = ("A_d10_1e-3", "--estimators", "moments,importance", "--budget", "2000")
    usual, told = ask("compare", *words), ask("compare", *words, "--device", "cpu")
    assert [r["log10_p"] for r in told["rows"]] == [r["log10_p"] for r in usual["rows"]]
    row = estimated({"problem": "A_d10_1e-3", "estimator": "moments", "device": "cpu"})
    assert row["log10_p"] == usual["rows"][0]["log10_p"]
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
    for command, kept in (("estimate", "--run"), ("attack", "--run"), ("sweep", "--runs")):
        told = refuse(command, "A_d10_1e-3", "--device", "cpu", kept, "somewhere")
        assert f"leave out {kept} or --device" in told
