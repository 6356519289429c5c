"""The bench of small problems of all kinds."""

import math
from dataclasses import replace

import pytest
import torch

import workbench as wb
from workbench.bench import Choice, mixed
from workbench.bench.mixed_problems import mixed_problem
from workbench.estimators.base import Estimate
from workbench.math.cost import Cost
from workbench.math.logspace import LN10
from workbench.types import Kind


def test_a_mixed_problem_is_made_anew_and_alike_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    one, again, other = mixed_problem(1), mixed_problem(1), mixed_problem(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.name == again.name != other.name and one.name.startswith("1: full 36, convolution")
    x = torch.randn(5, 36, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one.margin(x), again.margin(x))


def test_a_mixed_problem_is_the_same_whatever_the_default_precision_is():
    made = []
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)  # conftest sets it back
        made.append(mixed_problem(5))
        assert torch.get_default_dtype() == dtype
    x = torch.randn(5, 36, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(made[0].margin(x), made[1].margin(x))


def test_whoever_is_wrong_without_a_warning_is_named():
    problem = mixed_problem(2)
    wrong = replace(problem, truth=wb.Truth(-1.0, 0.0, "made up"))
    made = mixed.row(wrong, wb.Moments(), None)
    assert made["error"] == pytest.approx(-0.29, abs=0.02) and made["outcome"] == "held"
    far = wb.Problem(
        problem.distribution, *problem.stated, problem.name, "", wb.Truth(-3.0, 0.0, "")
    )
    assert mixed.row(far, wb.Moments(), None)["outcome"] == "missed"
    assert mixed.row(far, wb.Lower(), None)["outcome"] == "missed"
    assert mixed.row(wrong, wb.Lower(), None)["outcome"] == "held"  # a bound may lie below
    assert mixed.row(far, wb.Leaves(), None)["outcome"] == "cannot"
    rows = [{"method": "moments", **mixed.row(p, wb.Moments(), None)} for p in (wrong, far)]
    (said,) = mixed.conclude(rows)
    assert said.startswith("moments: 2 answers, 0 warned; wrong without a warning on 1, by 1.7 dig")


@pytest.mark.parametrize(("told", "outcome"), [(math.inf, "vague"), (1.0, "vague"), (0.9, "held")])
def test_an_error_of_a_digit_or_more_is_no_answer(monkeypatch, told, outcome):
    said = Estimate(torch.tensor(-30.0), told * LN10, Kind.UNBIASED, Cost(forwards=1))
    monkeypatch.setattr(wb.Subset, "__call__", lambda *_: said)
    problem = replace(mixed_problem(2), truth=wb.Truth(-12.0, 0.0, "made up"))
    made = mixed.row(problem, wb.Subset(), None)
    assert made["outcome"] == outcome
    (said,) = mixed.conclude([{"method": "subset", **made}])
    assert ("1 within a digit or more" in said) == (outcome == "vague")


def test_a_part_is_run_by_name():
    choice = Choice(methods=("conditioned", "leaves"), seeds=2)
    rows = list(mixed.choose(choice, True, lambda *_: None))
    assert [row["method"] for row in rows] == ["conditioned"] * 2
    assert [row["outcome"] for row in rows] == ["held"] * 2
