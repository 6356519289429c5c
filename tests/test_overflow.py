"""Where M is finite, and what estimators make of it is not: they go on without it, or say so."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

import workbench as wb

EXACT = stats.norm.logsf(5.0) / math.log(10.0)


class Steep(nn.Module):
    """exp(40 x_0 - 200): finite wherever a draw lies, its mean under N(0, 1) is exp(600) and its
    mean square beyond double precision."""

    def forward(self, x):
        return torch.exp(40.0 * x[:, :1] - 200.0)


def steep():
    """y > 1, which is x_0 > 5."""
    d = wb.Gaussian(torch.zeros(3), torch.ones(3))
    return wb.Problem(d, Steep(), wb.Halfspace(torch.ones(1), -1.0))


@pytest.mark.parametrize("search", ["propagation", "fitted", "margin"])
def test_conditioned_goes_by_the_margin_where_propagation_overflows(search):
    found = wb.Conditioned(search=search)(steep(), 20_000)
    assert found.log10_p == pytest.approx(EXACT, abs=1e-6)
    assert found.cost.forwards <= 20_000


def test_importance_keeps_gaussians_that_slopes_would_tear_apart():
    found = wb.Importance()(steep(), 20_000)
    assert abs(found.log10_p - EXACT) < 5.0 * found.log10_err < 0.2  # wrong once in a million


def test_propagation_alone_says_so():
    with pytest.raises(wb.NotConverged, match="mean or variance at 'exp' that is not finite"):
        wb.Moments()(steep())


def test_algebra_that_fails_is_told_in_a_sentence(monkeypatch):
    def step(self, problem, state):
        return torch.linalg.cholesky(-torch.eye(2))

    monkeypatch.setattr(wb.MonteCarlo, "step", step)
    with pytest.raises(wb.NotConverged, match="MonteCarlo came to a matrix that has no factors"):
        wb.MonteCarlo()(steep(), 100)
