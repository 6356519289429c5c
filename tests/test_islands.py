"""Importance where C is small islands: boxes far out, whose probability is a product."""

import math
from dataclasses import replace
from functools import reduce
from operator import and_

import pytest
import torch
from scipy import stats
from torch import nn

import workbench as wb
from workbench.estimators import islands, modes, subspace
from workbench.estimators.mixing import Weighing
from workbench.estimators.proposal import LEAST_VAR
from workbench.rng import Rng

CENTRES, HALVES = (3.0, 1.0, 0.5), (0.01, 0.02, 0.05)
EXACT = sum(
    math.log10(stats.norm.cdf(c + h) - stats.norm.cdf(c - h))
    for c, h in zip(CENTRES, HALVES, strict=True)
)


def sliver(dim=8):
    """|x_i - c_i| < h_i in the first three numbers."""
    rows = torch.eye(dim)
    parts = [
        wb.Halfspace(sign * rows[i] / h, (h - sign * c) / h)
        for i, (c, h) in enumerate(zip(CENTRES, HALVES, strict=True))
        for sign in (1.0, -1.0)
    ]
    return wb.Problem(
        wb.Gaussian(torch.zeros(dim), torch.ones(dim)), nn.Identity(), reduce(and_, parts)
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_sliver_is_met_that_no_wide_gaussian_meets(seed):
    """Of 3e-8, a hundredth of D wide: Gaussians of a fifth of the width of D say 0.

    Four errors and the skew of few weights: wrong once in 10,000; 0.3 digits is what it has to
    know P to at 20,000 forward passes, of which half go to the searches.
    """
    found = wb.Importance()(sliver(), 20_000, rng=seed)
    assert abs(found.log10_p - EXACT) < 4.5 * found.log10_err + 0.02
    assert found.log10_err < 0.3
    assert "scouts" not in found.warning and found.info["covered"] > 0.9
    assert found.cost.forwards <= 20_000


def test_gaussians_around_scouts_have_the_law_of_d_where_the_margin_is_level():
    """Scouts in a corner of the free directions, as those of one ancestor are."""
    g = torch.Generator().manual_seed(0)
    z = torch.full((200, 8), 0.7) + 0.01 * torch.randn(200, 8, generator=g)
    z[:, :3] = torch.tensor(CENTRES) + torch.tensor(HALVES) * (
        2.0 * torch.rand(200, 3, generator=g) - 1.0
    )
    thin, spent = islands.thin(sliver(), z, 0.05, g)
    means, covs = thin.means, thin.covariances
    assert float(thin.share.sum()) == pytest.approx(1.0) and spent <= islands.COST
    free = torch.eye(8)[3:]
    torch.testing.assert_close(covs[:, 3:, 3:], torch.eye(5).expand(len(covs), 5, 5))
    torch.testing.assert_close(means @ free.T, torch.zeros(len(means), 5))
    assert float(covs[:, :3, 3:].abs().max()) < 1e-12
    # The last of the first half stands for all scouts: twice their covariance.
    whole = means.shape[0] // 2 - 1
    wanted = 2.0 * torch.cov(z[:, :3].T, correction=0)
    torch.testing.assert_close(covs[whole, :3, :3], wanted)
    torch.testing.assert_close(covs[-1, :3, :3], 9.0 * wanted)
    torch.testing.assert_close(means[whole, :3], z[:, :3].mean(0))


def test_where_no_slope_is_seen_the_scouts_alone_say_how_thin_it_is(monkeypatch):
    class Flat(nn.Module):
        def forward(self, x):
            return (x[:, :1] > 3.0).to(x.dtype) - 0.5

    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, Flat(), wb.Halfspace(torch.ones(1)))
    z = torch.tensor([3.1, 0.0]) + 0.1 * torch.randn(60, 2)
    thin, spent = islands.thin(problem, z, 0.05, torch.Generator().manual_seed(0))
    assert 0 <= spent <= islands.COST
    torch.testing.assert_close(thin.means[-1], z.mean(0))
    torch.testing.assert_close(thin.covariances[-1], 18.0 * torch.cov(z.T, correction=0))
    monkeypatch.setattr(subspace, "WIDE", 1)  # in thousands of dimensions nothing is laid then
    none, spent = islands.thin(problem, z, 0.05, torch.Generator().manual_seed(0))
    assert none is None and 0 <= spent <= islands.COST


def test_thin_gaussians_of_images_are_laid_without_d_by_d_matrices():
    """30,000 dimensions: matrices of all clusters would take 58 GB."""
    dim, g = 30_000, torch.Generator().manual_seed(0)

    class Box(nn.Module):
        def forward(self, x):
            return 0.01 - (x[:, :2] - torch.tensor([3.0, 1.0])).abs().amax(1, keepdim=True)

    d = wb.Gaussian(torch.zeros(dim), torch.ones(dim))
    problem = wb.Problem(d, Box(), wb.Halfspace(torch.ones(1)))
    z = torch.randn(60, dim, generator=g)
    z[:, :2] = torch.tensor([3.0, 1.0]) + 0.02 * torch.rand(60, 2, generator=g) - 0.01
    thin, _ = islands.thin(problem, z, 0.05, g)
    assert thin.basis.shape[1:] == (dim, 2)
    refitted = thin.refit(z, torch.zeros(60), 0.02)
    drawn, plain = refitted.draw(torch.randn(100, dim, generator=g), g)
    assert bool((problem.margin_of_noise(drawn[~plain]) > -0.3).all())
    assert abs(float(drawn[:, 2:].var()) - 1.0) < 5.0 * (2.0 / (100 * dim)) ** 0.5  # 6e-7


@pytest.mark.parametrize("dim", [2, 40])
def test_single_precision_is_not_asked_for_thinner_gaussians_than_it_holds(dim):
    """Scouts within 1e-5 of one another: Cholesky's factors broke off where 1 - 1 was meant."""
    for seed in range(10):
        g = torch.Generator().manual_seed(seed)
        z = 1.0 + 1e-5 * torch.randn(60, dim, generator=g, dtype=torch.float32)
        way, _ = torch.linalg.qr(torch.randn(dim, dim, generator=g, dtype=torch.float32))

        class Steep(nn.Module):
            def forward(self, x, way=way):
                return 1e-4 - ((x - 1.0) @ way).abs().amax(1, keepdim=True)

        d = wb.Gaussian(*(f(dim, dtype=torch.float32) for f in (torch.zeros, torch.ones)))
        problem = wb.Problem(d, Steep(), wb.Halfspace(torch.ones(1, dtype=torch.float32)))
        mixture, _ = islands.thin(problem, z, 0.05, g)
        for _ in range(4):
            drawn, _ = mixture.draw(torch.randn(400, dim, generator=g, dtype=torch.float32), g)
            mixture = mixture.refit(drawn, torch.zeros(400, dtype=torch.float32), 0.02)
        assert bool(torch.isfinite(mixture.log_density(z)).all())


def test_a_second_climb_counts_its_passes_and_leaves_the_first_alone():
    importance, problem = wb.Importance(), sliver()
    state = importance.init(problem, Rng(0))
    state = replaced(importance, problem, state, 20_000)
    again = modes.climbed_again(problem, state)
    assert again.reached and len(again.noise) == len(state.noise) // 2
    assert state.forwards < again.forwards <= 20_000
    assert bool((problem.margin_of_noise(again.noise) > 0).all())
    assert again.rng is state.rng and not torch.equal(again.noise, state.noise[: len(again.noise)])
    few = modes.climbed_again(problem, with_limit(state, state.forwards + 300))
    assert not few.reached and few.forwards == state.forwards


def with_limit(state, limit):
    return replace(state, limit=limit)


def replaced(importance, problem, state, limit):
    """The state of a run once its scouts have climbed and its Gaussians are fitted."""
    state = with_limit(state, limit)
    while not state.found:
        state = importance.step(problem, state)
    return state


@pytest.mark.parametrize(("second", "said"), [(0.0, False), (0.05, False), (0.5, True)])
def test_islands_that_a_second_climb_finds_elsewhere_are_warned_of(second, said):
    importance, problem = wb.Importance(), sliver()
    state = replaced(importance, problem, importance.init(problem, Rng(1)), 20_000)
    assert isinstance(state, Weighing) and state.least == LEAST_VAR
    while not importance.finished(state) and state.draws == 0:
        state = importance.step(problem, state)
    assert state.islands == 2 and state.least == islands.least_var(torch.float64)
    told = importance.read(replace(state, second=second))
    assert ("a second climb" in told.warning) == said


@pytest.mark.parametrize("net", range(3))
def test_conditioned_counts_islands_by_draws_where_no_line_tells_p(net):
    """Its indicator is twice a standard error: a factor of 2 on it is 4 of them, 1 in 10,000."""
    with torch.no_grad():
        found = wb.Conditioned(net=net)(sliver(), 20_000)
    assert found.info["search"] == "scouts that climb by splitting"
    assert abs(found.log10_p - EXACT) < 2.0 * found.info["indicator_digits"] + 0.02 < 1.0
    assert found.cost.forwards <= 20_000
    with torch.no_grad():
        again = wb.Conditioned(net=net)(sliver(), 20_000, rng=7)
    assert again.log10_p == found.log10_p  # whatever the seed is


def test_conditioned_asks_no_scouts_for_a_gradient_or_within_few_passes():
    with torch.no_grad():
        few = wb.Conditioned()(sliver(), 3_000)
    for found in (few, wb.Conditioned()(sliver(), 20_000)):
        assert "scouts" not in found.info["search"] and found.warning


def test_conditioned_says_so_where_scouts_see_nothing_either():
    rows = torch.eye(2)
    never = wb.Halfspace(rows[0], -3.0) & wb.Halfspace(-rows[0], 2.0)
    problem = wb.Problem(wb.Gaussian(torch.zeros(2), torch.ones(2)), nn.Identity(), never)
    with torch.no_grad():
        found = wb.Conditioned()(problem, 30_000)
    assert "no line enters C" in found.warning
