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
    """Under powers, and under networks whose outputs jump; not on Gaussian margins."""
    line = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(line.weight, 2**-0.5)
    event = wb.Halfspace(torch.ones(1), -20.0)
    heavy = wb.StudentT(torch.zeros(2), torch.ones(2), df=30.0)
    assert "tails that are powers" in wb.GLD()(wb.Problem(heavy, line, event), 4000).warning

    class Cubed(torch.nn.Module):
        def forward(self, x):
            return line(x) ** 3

    class Jump(torch.nn.Module):
        def forward(self, x):
            return line(x) - 12.0 * (line(x) < -3.3)

    d = wb.Gaussian(torch.zeros(2), torch.ones(2))

    def told(model, least=4.0):
        return wb.GLD()(wb.Problem(d, model, wb.Halfspace(torch.ones(1), -least)), 4000).warning

    assert "standard deviations towards C, where" in told(Cubed(), 300.0)
    assert "standard deviations from their mean" in told(Jump())
    assert "lie in C, where" in told(Cubed())
    assert not told(line) and not told(line, 1.0) and "digits of a tail" in told(line, 20.0)


@pytest.mark.parametrize("presumed", [0.0025, 0.0975])
def test_draws_in_c_refute_a_presumption(presumed):
    """One draw of 20, where independence would have both in one of 400, or either in one of ten."""
    from workbench.estimators.refuted import Bar, refuted

    n, seen = 20_000, 1000
    assert f"where {n * presumed:,.0f} were presumed" in refuted(math.log(presumed), n, seen, ())
    assert not refuted(
        math.log(0.048), n, seen, [Bar(math.log(0.5), 20)]
    )  # C is counted, the bar not
    rare = [Bar(math.log(0.05), 1400, "beyond the bar")]
    assert "1,400 of 20,000 draws lie beyond the bar" in refuted(math.log(1e-8), n, 0, rare)
    assert not refuted(math.log(1e-8), n, 0, [Bar(math.log(0.05), 1030)])


def test_qld_warns_where_a_and_b_depend_or_draws_are_too_few():
    class Ring(torch.nn.Module):
        """Two uncorrelated outputs of which one is never far out where the other is."""

        def forward(self, x):
            return x / x.norm(dim=1, keepdim=True)

    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    corner = wb.Polytope(torch.eye(2), torch.tensor([-0.65, -0.65]))
    assert "not independent" in wb.QLD()(wb.Problem(d, Ring(), corner), 4000).warning

    def told(least, n):
        line = torch.nn.Identity()
        problem = wb.Problem(d, line, wb.Halfspace(torch.tensor([1.0, 0.0]), -least))
        answer = wb.QLD()(problem, n)
        return answer.info["effective_draws"], answer.warning

    carried, quiet = told(1.0, 4000)
    assert not quiet and carried == pytest.approx(0.159 / 0.841 * 4000, rel=0.1)
    assert "carry the answer" in told(2.8, 1000)[1] and "too rare" in told(6.0, 1000)[1]
