"""Lines that leave C again, or enter it twice: `conditioned` counts all of them, with gradient."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.estimators import along, lines, whole_lines
from workbench.math.gaussian import log_cdf
from workbench.models import dense

LOW, HIGH = 3.0, 3.2
BETWEEN = wb.Polytope(torch.tensor([[1.0], [-1.0]]), torch.tensor([-LOW, HIGH]))
OUTSIDE = wb.Halfspace(torch.tensor([1.0]), -LOW) | wb.Halfspace(torch.tensor([-1.0]), -LOW)


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def projected(d, spec):
    """y = u.x for a unit vector u of d numbers, x ~ N(mu, I) with mu a leaf at 0."""
    u = torch.randn(d, generator=torch.Generator().manual_seed(d))
    mean = torch.zeros(d).requires_grad_()
    u = u / u.norm()
    return wb.Problem(wb.Gaussian(mean, torch.ones(d)), dense(u[None]), spec), mean, u


@pytest.mark.parametrize("d", [1, 2, 12])
def test_a_slab_is_counted_between_its_faces(d):
    problem, mean, u = projected(d, BETWEEN)
    found = wb.Conditioned()(problem)
    exact = phi(-LOW) - phi(-HIGH)
    assert found.log10_p == pytest.approx(math.log10(exact), abs=1e-6)
    (slope,) = torch.autograd.grad(found.log_p, mean)
    density = [math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) for t in (LOW, HIGH)]
    torch.testing.assert_close(slope, (density[0] - density[1]) / exact * u, rtol=1e-5, atol=1e-6)


def test_a_slab_thinner_than_the_grid_is_found_in_one_dimension():
    low, high = 0.15, 0.155
    thin = wb.Polytope(torch.tensor([[1.0], [-1.0]]), torch.tensor([-low, high]))
    problem, _, _ = projected(1, thin)
    with torch.no_grad():
        found = wb.Conditioned()(problem)
    assert found.log10_p == pytest.approx(math.log10(phi(-low) - phi(-high)), abs=2e-3)


def test_a_slab_on_few_lines_is_counted_between_its_faces():
    """A slab of x0 where x1 > 1.5: of fifteen lines one meets it, and the usual place lies beyond.

    Exactly (Phi(2.4) - Phi(2)) Phi(-1.5); in five numbers.
    """
    a = torch.zeros(3, 5)
    a[0, 0], a[1, 0], a[2, 1] = 1.0, -1.0, 1.0
    d = wb.Gaussian(torch.zeros(5), torch.ones(5))
    spec = wb.Polytope(a, torch.tensor([-2.0, 2.4, -1.5]))
    problem = wb.Problem(d, nn.Identity(), spec)
    with torch.no_grad():
        found = wb.Conditioned()(problem)
    exact = math.log10((phi(-2.0) - phi(-2.4)) * phi(-1.5))
    assert found.indicator is not None and not found.warning
    assert abs(found.log10_p - exact) < 2.0 * found.indicator < 0.3


@pytest.mark.parametrize("d", [1, 6])
def test_both_sides_are_counted(d):
    problem, mean, u = projected(d, OUTSIDE)
    found = wb.Conditioned()(problem)
    assert found.log10_p == pytest.approx(math.log10(2.0 * phi(-LOW)), abs=2e-3)
    (slope,) = torch.autograd.grad(found.log_p, mean)
    torch.testing.assert_close(slope, 0.0 * u, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_an_output_that_turns_back_is_left_again(seed):
    """A bump of two sigmoids in 5 numbers; within the error foretold, twice, and of the sampler."""
    g = torch.Generator().manual_seed(seed)
    first = torch.randn(1, 5, generator=g)
    first = 4.0 * first / first.norm()
    rising, bump = nn.Linear(5, 2).double(), nn.Linear(2, 1).double()
    with torch.no_grad():
        rising.weight.copy_(torch.cat([first, first]))
        rising.bias.copy_(torch.tensor([-10.0, -12.0]))
        bump.weight.copy_(torch.tensor([[1.0, -1.0]]))
        bump.bias.zero_()
    net = nn.Sequential(rising, nn.Sigmoid(), bump)
    spec = wb.Halfspace(torch.tensor([1.0]), -0.45)
    d = wb.Gaussian(0.2 * torch.randn(5, generator=g), torch.ones(5))
    problem = wb.Problem(d, net.eval().requires_grad_(False), spec)
    with torch.no_grad():
        found = wb.Conditioned()(problem)
    sampled = wb.MonteCarlo()(problem, 400_000, seed)
    off = abs(found.log10_p - sampled.log10_p)
    assert found.indicator is not None and sampled.log10_err is not None
    assert off < 2.0 * found.indicator + 4.0 * sampled.log10_err
    assert not found.warning


def test_probes_tell_a_slab_from_a_half_space():
    across, unit = torch.zeros(6, 2), torch.tensor([1.0, 0.0])
    t = torch.full((6,), LOW)

    def beyond(z):
        return z[:, 0] - LOW

    said, wrong, spent = whole_lines.probed(beyond, across, unit, t, LOW, 6)
    assert said == pytest.approx(6 * phi(-LOW)) and wrong == 0.0 and 0 < spent < 60
    slab = lambda z: torch.minimum(z[:, 0] - LOW, LOW + 0.05 - z[:, 0])  # noqa: E731
    said, wrong, _ = whole_lines.probed(slab, across, unit, t, LOW, 6)
    assert wrong > whole_lines.MISSED * said
    wide = lambda z: torch.minimum(z[:, 0] - LOW, LOW + 0.5 - z[:, 0])  # noqa: E731
    assert whole_lines.probed(wide, across, unit, t + math.inf, LOW, 6)[1] > 0.0


def test_probes_are_shared_out_by_what_lines_count():
    """Five lines count next to nothing; the sixth counts all, and leaves C again."""
    across, unit = torch.zeros(6, 2), torch.tensor([1.0, 0.0])
    across[:, 1] = torch.arange(6.0)

    def margin(z):
        far = z[:, 0] - 6.0
        return torch.where(z[:, 1] < 4.5, far, torch.minimum(z[:, 0] - 2.0, 2.1 - z[:, 0]))

    t = torch.tensor([6.0, 6.0, 6.0, 6.0, 6.0, 2.0])
    said, wrong, _ = whole_lines.probed(margin, across, unit, t, 3.0, 2)
    assert said == pytest.approx(phi(-2.0), rel=1e-6) and wrong > 0.9 * said


def test_a_search_that_steps_over_c_tells_where_the_margin_turned():
    low, high = 1.5, 1.6
    across, unit = torch.zeros(2, 2), torch.tensor([1.0, 0.0])
    across[1, 1] = 1.0

    def margin(z):  # the second line has its peak, and no part in C
        return torch.minimum(z[:, 0] - low, high - z[:, 0]) - z[:, 1]

    for start in (-2.0, 2.9):
        hit = lines.crossings(margin, across, unit, torch.full((2,), start), 1.0, (-9.0, 9.0))
        assert hit.t.tolist() == [math.inf, math.inf]
        assert bool((hit.turns[:, 0] < low).all()) and bool((hit.turns[:, 1] > high).all())
        over, spent = whole_lines.stepped_over(margin, across, unit, hit.turns, hit.top)
        assert 0.3 < over / (phi(-low) - phi(-high)) < 3.0 and spent < 60
    rising = lines.crossings(lambda z: z[:, 0] - 20.0, across, unit, across[:, 0], 1.0, (-9.0, 9.0))
    assert bool(rising.turns.isnan().all())


def test_a_scan_finds_what_lies_between_the_places_of_its_grid():
    """A slab a fifth as wide as the grid's step is counted to a hundredth by bisection."""
    low, high = 3.031, 3.061
    across, unit = torch.zeros(3, 4), torch.eye(4)[0]
    t, s = whole_lines.scanned(
        lambda z: torch.minimum(z[:, 0] - low, high - z[:, 0]), across, unit, 3.0
    )
    assert bool((t.diff(dim=1) > 0).all()) and t.shape[1] == whole_lines.cost(3.0, 4)
    found = along.integrated(torch.zeros_like(s), s, t)
    exact = torch.exp(log_cdf(torch.tensor(-low))) - torch.exp(log_cdf(torch.tensor(-high)))
    torch.testing.assert_close(found.exp(), exact.expand(3), rtol=0.02, atol=0)


def test_where_one_crossing_tells_all_the_answer_is_what_it_was():
    with torch.no_grad():
        found = wb.Conditioned()(wb.load("C_digits_p1_s10"))
    assert found.log10_p == pytest.approx(-6.7208, abs=1e-4)


def test_a_budget_too_small_for_whole_lines_is_told():
    problem, _, _ = projected(6, BETWEEN)
    with torch.no_grad():
        whole, small = wb.Conditioned()(problem), wb.Conditioned()(problem, 1_800)
    assert not whole.warning and small.cost.forwards <= 1_800 < whole.cost.forwards
    assert "leave C again or enter it twice" in small.warning


@pytest.mark.parametrize("budget", [6_000, 40_000])
def test_a_budget_holds_for_the_gradient_of_whole_lines_too(budget):
    problem, mean, u = projected(12, BETWEEN)
    found = wb.Conditioned()(problem, budget)
    assert found.cost.forwards <= budget
    if budget == 40_000:
        (slope,) = torch.autograd.grad(found.log_p, mean)
        assert float(slope @ u) == pytest.approx(3.0897457917, abs=1e-6)
