"""Estimates on another device: nothing that is made on the way is left on the processor."""

import cases
import pytest
import torch
from commands import refuse
from far import far_away

import workbench as wb
from workbench.device import available
from workbench.errors import BadInput

BUDGET = 1000
SLOW = ("leaves", "mhis", "lower", "upper", "importance", "conditioned")
UNTRIED = (
    "free_energy",
    "partition",
    "ratio",
    "slices",
)  # pretended; a real device runs them below
ROWS = [row for row in cases.ROWS if row.name not in UNTRIED]


@pytest.mark.parametrize(
    "row", [pytest.param(r, marks=[pytest.mark.slow] * (r.name in SLOW), id=r.name) for r in ROWS]
)
def test_an_estimate_is_the_same_where_numbers_lie_elsewhere(row, monkeypatch):
    problem, method = wb.load(row.problem), cases.ESTIMATORS[row.name](**row.settings[0])
    here = method(problem, BUDGET, 0)
    with far_away(monkeypatch) as far:
        moved = problem.to(device=far)
        assert moved.device == far
        there = method(moved, BUDGET, 0)
        assert there.log10_p == here.log10_p
        assert there.log10_err == here.log10_err


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
        assert there in refuse("estimate", "A_d10_1e-3", "--device", wrong)
    told = refuse("estimate", "A_d10_1e-3", "--device", "cpu", "--run", "somewhere")
    assert "leave out" in told
