"""What plain draws tell: the index of a Gaussian fit, and the ends of a counted share."""

import math

import pytest
import torch

import workbench as wb


@pytest.mark.parametrize("seed", range(3))
def test_gld_is_log_phi_of_the_sampled_index(seed):
    """The slow obvious version, on the very same draws."""
    problem = wb.load("A_d10_1e-3")
    estimate = wb.GLD(batch=500)(problem, 1250, seed)
    draws = [
        problem.margin(problem.distribution.sample(n, wb.Rng(seed).child("batch", i).generator()))
        for i, n in enumerate((500, 500, 250))
    ]
    s = torch.cat(draws).detach()
    index = s.mean() / s.std()
    assert float(estimate.log_p) == pytest.approx(float(torch.special.log_ndtr(index)), rel=1e-12)


def test_gld_says_when_the_margin_overflows():
    wide = wb.Gaussian(torch.zeros(2), torch.full((2,), 1e200))
    line = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(line.weight, 2**-0.5)
    with pytest.raises(wb.NotConverged, match="too large"):
        wb.GLD()(wb.Problem(wide, line, wb.Halfspace(torch.ones(1))), 100)


@pytest.mark.parametrize("hits, n", [(0, 100), (3, 1000), (500, 1000), (100, 100)])
def test_clopper_pearson_has_the_tails_it_says(hits, n):
    from scipy.stats import binom

    from workbench.estimators.monte_carlo import clopper_pearson

    low, high = clopper_pearson(hits, n)
    if hits:
        assert binom.sf(hits - 1, n, math.exp(low)) == pytest.approx(0.025, rel=1e-9)
    else:
        assert low == -math.inf
    if hits < n:
        assert binom.cdf(hits, n, math.exp(high)) == pytest.approx(0.025, rel=1e-9)
    else:
        assert high == 0.0


def test_gld_warns_where_margins_cannot_be_gaussian():
    """Under powers, and under a network whose outputs jump; not on Gaussian margins."""
    line = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(line.weight, 2**-0.5)
    event = wb.Halfspace(torch.ones(1), -300.0)
    heavy = wb.StudentT(torch.zeros(2), torch.ones(2), df=30.0)
    assert "tails that are powers" in wb.GLD()(wb.Problem(heavy, line, event), 4000).warning

    class Cubed(torch.nn.Module):
        def forward(self, x):
            return line(x) ** 3

    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    told = wb.GLD()(wb.Problem(d, Cubed(), event), 4000).warning
    assert "standard deviations from their mean" in told
    assert not wb.GLD()(wb.Problem(d, line, event), 4000).warning
