"""A D known by its energy: `partition` against closed forms and quadrature."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.estimators import along, variational
from workbench.estimators.expected import Expected
from workbench.math.gaussian import log_cdf
from workbench.models import dense, mlp

F8 = torch.float64


def above(bar):
    return wb.Halfspace(torch.ones(1, dtype=F8), -bar)


def standard(d):
    return wb.Gaussian(torch.zeros(d, dtype=F8), torch.ones(d, dtype=F8))


class Quadratic(nn.Module):
    """U = x'Ax / 2 + b'x: no operation that propagators read."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)

    def forward(self, x):
        return (0.5 * ((x @ self.a) * x).sum(1) + x @ self.b)[:, None]


def quadratic(d=5, seed=0, bar=6.0, mean=None):
    """A Gaussian D in disguise, and its exact log P of a half-space."""
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, generator=g, dtype=F8) / d**0.5
    a, b = root @ root.T, torch.randn(d, generator=g, dtype=F8)
    c = torch.randn(1, d, generator=g, dtype=F8)
    mean = torch.zeros(d, dtype=F8) if mean is None else mean
    base = wb.Gaussian(mean, torch.linspace(0.5, 1.5, d, dtype=F8))
    precision = torch.diag(1.0 / base.scale**2) + a
    centre = torch.linalg.solve(precision, mean / base.scale**2 - b)
    std = torch.sqrt(c[0] @ torch.linalg.solve(precision, c[0]))
    exact = log_cdf((c[0] @ centre - bar) / std)
    problem = wb.Problem(wb.Gibbs(base, Quadratic(a, b)), dense(c), above(bar))
    return problem, exact


@pytest.mark.parametrize("bar", [-1.0, 3.0, 9.0])
def test_quadratic_energies_are_exact(bar):
    problem, exact = quadratic(bar=bar)
    with torch.no_grad():
        answer = wb.Partition()(problem)
    assert float(answer.log_p) == pytest.approx(float(exact), rel=1e-6, abs=1e-6)
    assert answer.info["free_energy_gap_digits"] < 1e-6


def test_the_gradient_of_the_quadratic_is_exact():
    mean = (0.3 * torch.ones(5, dtype=F8)).requires_grad_()
    problem, exact = quadratic(mean=mean)
    (true,) = torch.autograd.grad(exact, mean)
    _, (found,) = wb.log_p_and_grad(problem, wb.Partition(), [mean])
    assert torch.allclose(found, true, rtol=0.02, atol=0.02 * float(true.norm()))


def network(seed=0, d=2, strength=2.0):
    """exp(-U) with U two ReLU layers, and a small tanh network as M."""
    g = torch.Generator().manual_seed(seed)
    u = mlp([d, 10, 8, 1], g, bias_std=0.5)
    with torch.no_grad():
        u.parts[-1].weight.mul_(strength)
    return wb.Gibbs(standard(d), u), mlp([d, 8, 1], g, "tanh", 0.3)


def by_quadrature(problem, reach=9.0, n=2401):
    """log P over a fine grid of the plane."""
    t = torch.linspace(-reach, reach, n, dtype=F8)
    x = torch.cartesian_prod(t, t)
    with torch.no_grad():
        log_w = problem.distribution.log_weight(x)
        hit = problem.margin(x) > 0
    return float(torch.logsumexp(log_w[hit], 0) - torch.logsumexp(log_w, 0))


@pytest.mark.parametrize("seed, bar", [(0, 1.5), (1, 2.0), (4, 0.5), (5, 1.5)])
def test_networks_on_the_plane(seed, bar):
    """P_D from 1e-7 to 0.2; twice the lines' tolerance of 5% is 0.04 digits."""
    law, model = network(seed)
    problem = wb.Problem(law, model, above(bar))
    truth = by_quadrature(problem) / math.log(10)
    with torch.no_grad():
        answer = wb.Partition()(problem)
    assert abs(answer.log10_p - truth) < 0.04


def test_logistic_weights_are_an_energy():
    """sigmoid(r / c) on the line: U = log(1 + exp(-r / c)), no network that propagators read."""

    class Logistic(nn.Module):
        def forward(self, x):
            return nn.functional.softplus(-(x - 2.0) / 0.3)

    problem = wb.Problem(wb.Gibbs(standard(1), Logistic()), dense(torch.ones(1, 1, dtype=F8)),
                         above(3.0))  # fmt: skip
    x = torch.linspace(-12, 12, 400_001, dtype=F8)[:, None]
    weight = torch.exp(problem.distribution.log_weight(x))
    truth = math.log10(float(weight[x[:, 0] > 3.0].sum() / weight.sum()))
    with torch.no_grad():
        assert wb.Partition()(problem).log10_p == pytest.approx(truth, abs=0.01)


def test_every_interval_of_a_line_counts():
    """phi(t) exp(-t / 2) over -3 < t < -1 and t > 2 on one line."""
    lines, unit = torch.zeros(1, 2, dtype=F8), torch.tensor([1.0, 0.0], dtype=F8)
    grid = torch.arange(-9.0, 9.01, 0.25, dtype=F8)

    def value(x):
        t = x[:, 0]
        return 0.5 * t, torch.maximum(torch.minimum(t + 3.0, -1.0 - t), t - 2.0)

    found = float(along.log_integral(value, lines, unit, grid)[0])
    # exp(-t / 2) phi(t) = exp(1 / 8) phi(t + 1 / 2); the grid ends at 9.
    ends = torch.tensor([-3.0, -1.0, 2.0, 9.0], dtype=F8) + 0.5
    cdf = torch.special.ndtr(ends)
    exact = math.log(float(cdf[1] - cdf[0] + cdf[3] - cdf[2])) + 0.125
    assert found == pytest.approx(exact, abs=1e-9)


def test_the_nearest_gaussian_bounds_the_partition_function():
    """Gibbs and Bogoliubov: -F(q) is at most log Z; equal where D is a Gaussian. One layer of ReLUs
    has exact means by propagation."""
    g = torch.Generator().manual_seed(5)
    law = wb.Gibbs(standard(2), mlp([2, 12, 1], g, bias_std=1.0))
    with torch.no_grad():
        zero = torch.zeros(2, dtype=F8)
        q = variational.nearest(Expected(law), zero, torch.eye(2, dtype=F8))
        t = torch.linspace(-9, 9, 1801, dtype=F8)
        x = torch.cartesian_prod(t, t)
        log_z = float(torch.logsumexp(law.log_weight(x), 0) + 2 * math.log(0.01))
    assert q.settled
    assert log_z - 0.2 < float(q.log_z) < log_z


def test_an_answer_needs_a_budget():
    problem, _ = quadratic()
    assert "budget" in wb.Partition()(problem, 50).warning


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: wb.Gibbs(wb.Box(torch.zeros(2), torch.ones(2)), nn.Identity()), "gaussian base"),
        (lambda: wb.Gibbs(standard(2), nn.Identity()), r"\(batch, 1\)"),
        (lambda: wb.Gibbs(standard(2), dense(torch.ones(1, 3, dtype=F8))), "the energy fails"),
        (lambda: wb.Gibbs(standard(2), 3.0), "torch module"),
        (lambda: wb.Partition(tolerance=0.0), "tolerance"),
        (lambda: wb.Partition(lines=0), "lines"),
    ],
)
def test_bad_input_is_told_in_a_sentence(make, said):
    with pytest.raises(wb.BadInput, match=said):
        make()
