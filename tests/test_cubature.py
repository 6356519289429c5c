"""Integration along rays: closed forms, scipy, and lines through networks cut one by one."""

import math

import pytest
import torch
from scipy.stats import norm
from torch import nn

import workbench as wb
from workbench.estimators import Cubature, rays
from workbench.math.quadrature import kronrod
from workbench.models import mlp

PLANE = wb.Gaussian(torch.zeros(2), torch.ones(2))
LINE = wb.Gaussian(torch.zeros(1), torch.ones(1))
FULL = wb.Gaussian(torch.tensor([0.3, -0.2]), torch.tensor([[1.0, 0.0], [0.8, 0.5]]))
LN10 = math.log(10.0)


def on(d, spec, model=None):
    return wb.Problem(d, model or nn.Flatten(), spec)


def half(a, b, d=PLANE, model=None):
    return on(d, wb.Halfspace(torch.tensor(a), b), model)


def logs(*z):
    return sum(norm.logcdf(x) for x in z) / LN10


def close(problem, log10_p, relative=1e-6, **settings):
    """Within the stated error, and that error within the criterion."""
    found = Cubature(**settings)(problem, 10_000_000)
    assert found.log_err < relative
    assert abs(found.log10_p - log10_p) * LN10 < max(found.log_err, 1e-13 * abs(log10_p))
    return found


def corner(a, b):
    return wb.Polytope(torch.eye(2), -torch.tensor([a, b]))


@pytest.mark.parametrize("t", [-2.0, 0.5, 3.0, 9.26, 30.0])
def test_half_plane_along_an_axis_and_off_it(t):
    close(half([1.0, 0.0], -t), logs(-t))
    close(half([0.6, -0.8], -t), logs(-t))


def test_correlated_noise_and_another_centre():
    """a.x ~ N(a.m, |L^T a|^2)."""
    a = torch.tensor([1.0, -0.5])
    centre, scale = float(a @ FULL.mean), float((FULL.scale.T @ a).norm())
    close(half([1.0, -0.5], -4.0, FULL), logs((centre - 4.0) / scale))


@pytest.mark.parametrize("t, u", [(1.0, 2.0), (3.0, 4.0), (6.0, 7.0), (8.0, 9.0)])
def test_corners_and_their_complements(t, u):
    close(on(PLANE, corner(t, u)), logs(-t, -u))
    close(on(PLANE, ~corner(-t, -u)), math.log10(norm.cdf(-t) + norm.cdf(t) * norm.cdf(-u)))


def test_a_sliver_of_ten_to_the_minus_twenty_two():
    """A strip of width 1e-8 beyond 8: its mass is width * phi(8) (1 - 8 width / 2)."""
    ends = torch.tensor([8.0, 8.0 + 1e-8])
    width = float(ends[1] - ends[0])
    strip = wb.Polytope(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.stack([-ends[0], ends[1]]))
    exact = (norm.logpdf(8.0) + math.log(width) + math.log1p(-4.0 * width)) / LN10
    assert Cubature()(on(PLANE, strip), 1_000_000).log10_p == pytest.approx(exact, abs=1e-7)


def test_a_ring_of_wedges():
    """sin(5 angle) > 0 beyond radius 2: half of exp(-2), by symmetry. No half-spaces: a grid."""

    class Wedges(nn.Module):
        def forward(self, x):
            inside = torch.sin(5 * torch.atan2(x[:, 1], x[:, 0])) > 0
            far = x.norm(dim=1) > 2.0
            return torch.where(inside & far, 1.0, -1.0)[:, None]

    close(half([1.0], 0.0, model=Wedges()), math.log10(0.5 * math.exp(-2.0)), 1e-5)


def test_a_disc_is_a_circle_on_every_ray():
    class Disc(nn.Module):
        def forward(self, x):
            return x.square().sum(1, keepdim=True)

    close(half([1.0], -36.0, model=Disc()), -18.0 / LN10)
    close(half([-1.0], 1e-4, model=Disc()), math.log10(-math.expm1(-0.5e-4)))


@pytest.mark.parametrize("model, bar", [(nn.Tanh(), 0.99), (nn.Flatten(), 9.0)])
def test_one_dimension(model, bar):
    t = math.atanh(bar) if isinstance(model, nn.Tanh) else bar
    close(half([1.0], -bar, LINE, model), logs(-t))
    close(half([-1.0], -bar, LINE, model), logs(-t))


def test_a_box_has_areas():
    square = wb.Box(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0]))
    close(half([1.0, 0.5], -2.499, square), math.log10(0.5 * 0.001 * 0.002 / 2.0), 1e-5)
    segment = wb.Box(torch.tensor([2.0]), torch.tensor([6.0]))
    close(half([1.0], -5.0, segment), math.log10(0.25))


def test_a_mixture_is_the_sum_of_its_components():
    near = wb.Gaussian(torch.ones(2), torch.full((2,), 0.1))
    both = wb.Mixture(torch.tensor([1.0, 4.0]), (PLANE, near))
    exact = 0.2 * norm.cdf(-5.0) + 0.8 * norm.cdf(-40.0)
    close(half([1.0, 0.0], -5.0, both), math.log10(exact))


def test_the_network_on_the_plane_by_another_way():
    """The card's truth is nested quadrature in Cartesian coordinates, good to 1e-8."""
    problem = wb.load("E_plane_1e-8")
    found = Cubature()(problem, 1_000_000)
    assert abs(found.log10_p - problem.truth.log10_p) * LN10 < 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_cuts_of_a_ray_are_those_of_a_fine_grid(seed):
    """A network with a residual sum: exact runs hold at a thousand places a ray, none missing."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            g = torch.Generator().manual_seed(seed)
            self.one, self.two = mlp([2, 12, 6], g, bias_std=0.5), mlp([6, 9, 6], g, bias_std=0.5)

        def forward(self, x):
            x = torch.relu(self.one(x))
            return x + self.two(x)

    model, spec = Residual(), wb.Argmax(2) & ~wb.Argmax(4, "wins", 0.1)
    x = torch.randn(999, 2, generator=torch.Generator().manual_seed(5))
    problem = on(PLANE, spec.shift(float(spec.margin(x, model(x)).detach().median())), model)
    assert rays.piecewise_linear(problem)
    angle = torch.linspace(0.0, 6.2, 7)
    unit = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    end = torch.full((7,), 5.0)
    runs = rays.exact(problem, PLANE.push, unit, end, rays.Meter(1e9))
    t = torch.rand(7, 1000, generator=torch.Generator().manual_seed(9)) * 5.0
    with torch.no_grad():
        s = problem.margin((t[..., None] * unit[:, None]).flatten(0, 1)).reshape(7, 1000)
    within = (t[..., None] > runs.low[:, None]) & (t[..., None] < runs.high[:, None])
    assert torch.equal(within.any(-1), s > 0) and 0 < int((s > 0).sum()) < 7000
    coarse = rays.on_grid(problem, PLANE.push, unit, end, 5000, rays.Meter(1e9))
    gap = (runs.high - runs.low).sum(1) - (coarse.high - coarse.low).sum(1)
    assert float(gap.abs().max()) < 1e-9


def test_what_is_not_piecewise_linear_is_told():
    assert not rays.piecewise_linear(half([1.0, 1.0], 0.0, model=nn.Tanh()))
    assert rays.piecewise_linear(half([1.0, 1.0], 0.0, model=nn.ReLU()))


def test_kronrod_is_the_published_rule():
    """QUADPACK's qk15: weights and a node as printed there; exact to degree 22."""
    x, coarse, fine = kronrod(torch.float64, torch.device("cpu"))
    assert float(x[-1]) == pytest.approx(0.991455371120812639206854697526329, abs=1e-15)
    assert float(fine[7]) == pytest.approx(0.209482141084727828012999174891714, abs=1e-15)
    assert float(fine[-1]) == pytest.approx(0.022935322010529224963732008058970, abs=4e-15)
    for k in range(23):
        exact = 2.0 / (k + 1) if k % 2 == 0 else 0.0
        assert float((fine * x**k).sum()) == pytest.approx(exact, abs=1e-14)
        if k < 14:
            assert float((coarse * x**k).sum()) == pytest.approx(exact, abs=1e-14)


def test_an_event_that_no_ray_meets_says_so():
    found = Cubature()(half([1.0, 0.0], -1.0, model=nn.Sequential(nn.ReLU(), nn.Tanh())), 300_000)
    assert found.log10_p == -math.inf and "no ray met C" in found.warning
    short = Cubature()(wb.load("E_plane_1e-8"), 100)
    assert short.log_err == math.inf and "budget" in short.warning


def test_a_short_budget_states_a_larger_error():
    problem = wb.load("E_plane_1e-8")
    found = Cubature()(problem, 60_000)
    assert found.info["unfinished"] and 1e-8 < found.log_err < 1.0
    assert abs(found.log10_p - problem.truth.log10_p) * LN10 < found.log_err


def test_three_dimensions_are_refused():
    space = wb.Gaussian(torch.zeros(3), torch.ones(3))
    with pytest.raises(wb.Unsupported, match="in 3 dimensions: at most 2"):
        Cubature()(on(space, wb.Halfspace(torch.ones(3), -1.0)))
