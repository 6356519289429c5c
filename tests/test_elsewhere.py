"""Whether failures elsewhere contradict an answer: exact probabilities of half-spaces."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

import workbench as wb
from workbench.estimators import elsewhere
from workbench.rng import Rng


def sides(*offsets, dim=3, tilt=1.0):
    """x_0 > offset on either side of D, the second side's margin so many times as steep."""
    spec = wb.Halfspace(torch.eye(dim)[0], -offsets[0])
    if len(offsets) > 1:
        spec = spec | wb.Halfspace(-tilt * torch.eye(dim)[0], -tilt * offsets[1])
    return wb.Problem(wb.Gaussian(torch.zeros(dim), torch.ones(dim)), nn.Identity(), spec)


@pytest.mark.parametrize("offsets", [(4.0,), (4.0, 4.2), (6.0, 4.0)])
def test_a_few_draws_know_p_wherever_c_lies(offsets):
    """Within a factor of 1.5: 48 draws a side with a weight's deviation of 1.2 means; 4 errors."""
    exact = math.log(sum(stats.norm.sf(b) for b in offsets))
    found, spent = elsewhere.log_mean(sides(*offsets), math.log(1e-9), Rng(0))
    assert abs(found - exact) < 4.0 * 1.2 / math.sqrt(48 * len(offsets))
    assert 0 < spent <= elsewhere.COST


def test_a_side_is_met_whose_margin_is_the_lower_one_nearly_everywhere():
    """It is a hundred times as steep, and so below the other outside C."""
    found, _ = elsewhere.log_mean(sides(3.5, 6.3, tilt=0.01), math.log(stats.norm.sf(6.3)), Rng(0))
    assert abs(found - math.log(stats.norm.sf(3.5))) < 1.0


def test_a_true_answer_is_never_contradicted_where_c_is_curved():
    """A ball of radius 1 at a distance of 5: half-spaces at its edge have 20 times its mass.

    A draw exceeds P twentyfold once in 20 times at most (Markov), here never in 20 seeds.
    """
    centre = torch.tensor([5.0, 0.0, 0.0])

    class Near(nn.Module):
        def forward(self, x):
            return 1.0 - (x - centre).square().sum(1, keepdim=True)

    d = wb.Gaussian(torch.zeros(3), torch.ones(3))
    problem = wb.Problem(d, Near(), wb.Halfspace(torch.ones(1)))
    exact = math.log(stats.ncx2.cdf(1.0, 3, 25.0))
    found = [elsewhere.log_mean(problem, exact, Rng(s))[0] for s in range(20)]
    assert all(elsewhere.doubt(exact, f) == "" for f in found)
    assert abs(float(torch.tensor(found).logsumexp(0)) - math.log(20) - exact) < 0.5
    assert "make P about 10^" in elsewhere.doubt(exact - 5.0, exact)


def test_nothing_is_looked_for_where_no_gradient_leads_or_c_is_likely():
    class Step(nn.Module):
        def forward(self, x):
            return (x[:, :1] > 4.0).to(x.dtype) - 0.5

    d = wb.Gaussian(torch.zeros(3), torch.ones(3))
    flat = wb.Problem(d, Step(), wb.Halfspace(torch.ones(1)))
    found, spent = elsewhere.log_mean(flat, -10.0, Rng(0))
    assert found == -math.inf and spent <= elsewhere.COST
    for log_p in (math.log(0.06), -math.inf):
        assert elsewhere.log_mean(sides(1.0), log_p, Rng(0)) == (-math.inf, 0)


@pytest.mark.parametrize(("near", "said"), [(7.0, True), (4.5, False)])
def test_subset_warns_of_a_side_that_its_particles_leave_behind(near, said):
    """Particles follow the flatter margin, on the side of P = 1e-12 or 3e-6; the other has 3e-7."""
    problem = sides(5.0, near, tilt=0.05)
    found = wb.Subset(particles=300)(problem, 12_000)
    assert ("no particle reached" in found.warning) == said
    assert found.cost.forwards <= 12_000
    exact = math.log10(stats.norm.sf(5.0) + stats.norm.sf(near))
    assert (found.log10_p < exact - 3.0) == said


def test_subset_warns_where_most_repeats_met_no_failure():
    """x near 2.5 to a hundredth, where margins draw particles to 0: few repeats see any."""

    class Trap(nn.Module):
        def forward(self, x):
            return torch.where((x - 2.5).abs() < 0.01, 1.0, -1.0 - x.abs())

    d = wb.Gaussian(torch.zeros(1), torch.ones(1))
    problem = wb.Problem(d, Trap(), wb.Halfspace(torch.ones(1)))
    found = wb.Subset(particles=400)(problem, 40_000, rng=2)
    none = sum(p == -math.inf for p in found.info["log10_p_repeats"])
    assert 0 < len(found.info["log10_p_repeats"]) - none < none
    assert f"{none} of {found.info['repeats']} repeats met no failure" in found.warning
