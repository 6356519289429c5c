"""The bench of small problems of all kinds where C is rare."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.bench import Choice, rare
from workbench.bench.mixed_problems import Series, mixed_problem
from workbench.bench.rare_problems import bar_of, rare_problem, truth_of, widely
from workbench.errors import NotConverged
from workbench.rng import Rng


def test_a_rare_problem_is_the_common_one_with_another_bar():
    one, again, common = rare_problem(44), rare_problem(44), mixed_problem(44)
    assert one.name == again.name == common.name == "44: diagonal 3, linear to 1, half-space"
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    lower = common.margin(x) - one.margin(x)
    assert torch.equal(one.margin(x), again.margin(x)) and float(lower.min()) > 0.0
    torch.testing.assert_close(lower, lower[:1].expand(5))
    # Propagation is exact here: 1e-9 was asked for, and splitting knows it to a third or so.
    assert wb.Moments()(one).log10_p == pytest.approx(-9.0, abs=0.3)


def test_no_bar_is_passed_more_rarely_than_the_largest_value_is_taken():
    """y = min(x, 1) for x ~ N(0, 1) is 1 on one draw in six."""
    d = wb.Gaussian(torch.zeros(1), torch.ones(1))
    x = torch.zeros(1, 1)
    capped = Series(
        "capped", d, nn.Hardtanh(-9.0, 1.0), lambda bar: wb.Halfspace(x[0] + 1, -bar), x, 0.5
    )
    with pytest.raises(NotConverged, match="no bar is passed once in 1,000 draws"):
        bar_of(capped, 1e-3, Rng(0))
    assert bar_of(capped, 0.3, Rng(0)) == pytest.approx(0.5244, abs=0.15)


def test_wide_draws_know_p_where_plain_ones_see_nothing():
    """Two half-spaces on either side of D, of exactly 1e-7 and 1e-8, in two numbers."""
    far = (5.199337582192816, 5.612001243305496)
    spec = wb.Halfspace(torch.tensor([1.0, 0.0]), -far[0]) | wb.Halfspace(
        torch.tensor([-1.0, 0.0]), -far[1]
    )
    problem = wb.Problem(wb.Gaussian(torch.zeros(2), torch.ones(2)), nn.Identity(), spec)
    truth = widely(problem)
    assert truth is not None and 0.0 < truth.se_log10 < 0.01
    assert abs(truth.log10_p - math.log10(1.1e-7)) < 4.5 * truth.se_log10  # wrong once in 150,000


def test_a_truth_that_nobody_knows_is_none():
    spec = wb.Halfspace(torch.eye(2)[0], -40.0)
    problem = wb.Problem(wb.Gaussian(torch.zeros(2), torch.ones(2)), nn.Identity(), spec)
    assert widely(problem) is None
    with pytest.raises(NotConverged):
        truth_of(problem, forwards=20_000)


def test_a_row_tells_the_truth_or_why_there_is_none(monkeypatch):
    def some(seed):
        if seed == 1:
            raise NotConverged("no bar")
        return rare_problem(seed)

    monkeypatch.setattr(rare, "rare_problem", some)
    choice = Choice(methods=("truth", "leaves", "conditioned"), seeds=2)
    rows = list(rare.choose(choice, False, lambda *_: None))
    known, lines, unknown = rows
    assert known["method"] == "truth" and lines["method"] == "conditioned"
    assert known["truth"] == lines["truth"] and lines["outcome"] in ("held", "warned")
    assert unknown["outcome"] == rare.NO_TRUTH and unknown["reason"] == "no bar"
    counted, said = rare.conclude(rows)
    assert counted.startswith("1 problems with a truth; 1 without")
    assert said.startswith("conditioned: 1 answers")
