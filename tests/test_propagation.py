"""Propagators: exact where they should be, symmetric where they must be, near elsewhere."""

import math

import numpy as np
import pytest
import torch
from propagated import (
    FUNCTIONS,
    covariance,
    each_activation,
    each_propagator,
    law,
    problem,
    rand,
    standard,
)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import activations_of, read
from workbench.math.logspace import log_sum
from workbench.models import Network, Shift, Sum, chain, dense, mlp
from workbench.propagation import ALL, Covariance, Cumulant4, Mean


def by_quadrature(f, mean, cov, kinks, nodes=24, panels=14, reach=9.0):
    """Mean and covariance of f(X), X ~ N(mean, cov) in the plane, f of two outputs.

    x = mean + L z; f's kinks are x_0 = 0 and x_1 = 0. In z these are a line z_0 = c and, for every
    z_0, a point in z_1: both are edges of panels.
    """
    factor = np.linalg.cholesky(cov)
    x, w = np.polynomial.legendre.leggauss(nodes)

    def rule(kink):
        edges = np.linspace(-reach, reach, panels)
        if kinks and abs(kink) < reach:
            edges = np.sort(np.append(edges, kink))
        half = 0.5 * np.diff(edges)[:, None]
        z = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
        return z, (half * w).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)

    one, two = np.zeros(2), np.zeros((2, 2))
    z0, w0 = rule(-mean[0] / factor[0, 0])
    for z, weight in zip(z0, w0, strict=True):
        z1, w1 = rule(-(mean[1] + factor[1, 0] * z) / factor[1, 1])
        at = mean + np.stack([np.full_like(z1, z), z1], 1) @ factor.T
        y = f(at)
        one += weight * (w1 @ y)
        two += weight * (y.T * w1) @ y
    return one, two - np.outer(one, one)


@each_activation
@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.6])
@pytest.mark.parametrize("mean", [(0.0, 0.0), (0.7, -1.1)])
def test_two_neurons_against_quadrature(activation, rho, mean):
    """Covariance is right to the dropped part of its series, |rho|^(order + 1); the rest exact."""
    sd = np.array([0.8, 1.3])
    cov = np.array([[1.0, rho], [rho, 1.0]]) * np.outer(sd, sd)
    module = FUNCTIONS[activation]()

    def f(x):
        return module(torch.from_numpy(x)).numpy()

    one, two = by_quadrature(f, np.array(mean), cov, kinks=activation == "relu")
    t_mean, t_cov = torch.tensor(mean), torch.from_numpy(cov)
    for order in (1, 4, 8, 40):
        m, c = law(chain([module]), t_mean, t_cov, Covariance(order, tolerance=0.0))
        np.testing.assert_allclose(m, one, atol=1e-9)
        np.testing.assert_allclose(np.diag(c), np.diag(two), atol=1e-9)
        dropped = abs(rho) ** (order + 1) * math.sqrt(two[0, 0] * two[1, 1])
        assert abs(float(c[0, 1]) - two[0, 1]) <= dropped + 1e-9
    torch.testing.assert_close(c, c.T, rtol=1e-14, atol=1e-16)


@each_activation
def test_two_neuron_net_against_quadrature(activation):
    """A whole net 2-2-1: the mean and variance of its margin, to 1e-7."""
    g = torch.Generator().manual_seed(4)
    model = mlp([2, 2, 1], g, activation, bias_std=0.5)
    d = wb.Gaussian(torch.tensor([0.2, -0.4]), torch.tensor([0.9, 0.6]))
    first, last = model.parts[0], model.parts[2]
    with torch.no_grad():
        mean = first.weight @ d.mean + first.bias
        cov = first.weight @ torch.diag(d.scale**2) @ first.weight.T
        module = FUNCTIONS[activation]()
        one, two = by_quadrature(
            lambda x: module(torch.from_numpy(x)).numpy(), mean.numpy(), cov.numpy(),
            kinks=activation == "relu",
        )  # fmt: skip
        w = last.weight[0].numpy()
        m, c = law(model, d.mean, d.scale**2, Covariance(40, tolerance=0.0))
    # The series drops |rho|^41 of the pair, rho as given by this seed.
    rho = float(cov[0, 1] / (cov[0, 0] * cov[1, 1]).sqrt())
    slack = 2 * abs(rho) ** 41 * abs(w[0] * w[1]) * math.sqrt(two[0, 0] * two[1, 1])
    assert float(m) == pytest.approx(float(w @ one) + last.bias.item(), abs=1e-9)
    assert float(c) == pytest.approx(float(w @ two @ w), abs=slack + 1e-8)


@pytest.mark.parametrize("diagonal", [True, False])
def test_linear_models_are_exact(diagonal):
    weight, bias = rand(0, 3, 5), rand(1, 3)
    mean = rand(2, 5)
    cov = rand(3, 5).square() if diagonal else covariance(5, 3)
    dense_cov = torch.diag(cov) if diagonal else cov
    truth = (weight @ mean + bias, weight @ dense_cov @ weight.T)
    for x, y in zip(law(chain([dense(weight, bias)]), mean, cov), truth, strict=True):
        torch.testing.assert_close(x, y)
    # Mean propagation keeps the variances, where the inputs are uncorrelated.
    _, var = law(chain([dense(weight, bias)]), mean, cov, Mean())
    if diagonal:
        torch.testing.assert_close(var.diagonal(), truth[1].diagonal())
        assert bool((var - torch.diag(var.diagonal()) == 0).all())


@pytest.mark.parametrize("diagonal", [True, False])
def test_residual_sums_keep_the_covariance_of_their_branches(diagonal):
    """x + A x, and B (x + A x + c) + A x, are linear: the law is exact."""
    n = 4
    a, b, c = 0.5 * rand(0, n, n), rand(1, n, n), rand(2, n)
    mean, cov = rand(3, n), (rand(4, n).square() if diagonal else covariance(n, 4))
    dense_cov = torch.diag(cov) if diagonal else cov
    parts = [dense(a), Sum(), Shift(c), dense(b), Sum()]
    model = Network(parts, [[0], [0, 1], [2], [3], [4, 1]])
    whole = b @ (torch.eye(n) + a) + a
    m, v = law(model, mean, cov)
    torch.testing.assert_close(m, whole @ mean + b @ c)
    torch.testing.assert_close(v, whole @ dense_cov @ whole.T)


def test_doubling_a_value_quadruples_its_variance():
    """x + x, through Sum: Var is 4, where independent branches would give 2."""
    model = Network([Sum(), Sum()], [[0, 0], [1, 0]])
    m, v = law(model, torch.ones(2), torch.ones(2))
    assert m.tolist() == [3.0, 3.0]
    assert torch.diagonal(v).tolist() == [9.0, 9.0]


def test_cancelling_branches_leave_nothing():
    n = 3
    model = Network([dense(-torch.eye(n)), Sum()], [[0], [0, 1]])
    m, v = law(model, rand(0, n), covariance(n, 1))
    assert m.tolist() == [0.0] * n and v.abs().max() < 1e-15


@each_activation
def test_skip_around_an_activation_against_sampling(activation):
    """x + f(A x) on Gaussian x: Stein's identity makes Cov(f, x) exact, so all is exact here up to
    the series. 400,000 draws, 5.5 standard errors: 4e-8 a comparison."""
    n, draws = 3, 400_000
    a, c = rand(0, n, n), 0.3 * rand(1, n)
    model = Network([dense(a, c), FUNCTIONS[activation](), Sum()], [[0], [1], [0, 2]])
    mean, cov = 0.5 * rand(2, n), covariance(n, 3)
    m, v = law(model, mean, cov, Covariance(40, tolerance=0.0))
    with torch.no_grad():
        y = model(mean + rand(5, draws, n) @ torch.linalg.cholesky(cov).T)
    assert bool(((y.mean(0) - m).abs() < 5.5 * y.std(0) / math.sqrt(draws)).all())
    products = (y - m)[:, :, None] * (y - m)[:, None, :]
    error = products.std(0) / math.sqrt(draws)
    assert bool(((products.mean(0) - v).abs() < 5.5 * error).all())


def test_mean_presumes_a_product_where_covariance_knows_better():
    """P(x1 > 0 and x2 > 0 and x2 > 0 and x3 > 0) is 1/8; under independence of the four literals,
    which is what mean propagation hands on, it is 1/16."""
    pick = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    spec = wb.Polytope(torch.eye(4), torch.zeros(4))
    asked = wb.Problem(standard(3), chain([dense(pick)]), spec)
    alone, truth = (10 ** wb.Moments(name)(asked).log10_p for name in ("mean", "covariance"))
    assert alone == pytest.approx(1 / 16, rel=1e-12)
    # x2 > 0 stands there twice, which is seen; the rest is independent.
    assert truth == pytest.approx(1 / 8, rel=1e-12)


@pytest.mark.parametrize("propagator", ["mean", "covariance"])
def test_a_mixture_is_the_weighted_sum_of_its_components(propagator):
    model = mlp([2, 5, 3], torch.Generator().manual_seed(0), bias_std=0.3)
    spec = wb.Argmax(0, by=2.0)
    parts = (
        wb.Gaussian(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5])),
        wb.Gaussian(torch.tensor([2.0, -1.0]), torch.tensor([[1.0, 0.0], [0.4, 0.3]])),
    )
    weights = torch.tensor([1.0, 3.0])
    estimate = wb.Moments(propagator)
    whole = estimate(wb.Problem(wb.Mixture(weights, parts), model, spec)).log_p
    each = [estimate(wb.Problem(d, model, spec)).log_p for d in parts]
    summed = log_sum(torch.stack(each) + torch.log(weights / 4.0))
    torch.testing.assert_close(whole, summed, rtol=1e-13, atol=0)
    alone = estimate(wb.Problem(wb.Mixture(weights[:1], parts[:1]), model, spec)).log_p
    torch.testing.assert_close(alone, each[0], rtol=1e-14, atol=0)


def test_many_pieces():
    """The same Gaussian 60 times over is that Gaussian."""
    d = standard(2)
    model = mlp([2, 4, 1], torch.Generator().manual_seed(0), bias_std=0.3)
    spec = wb.Halfspace(torch.ones(1), -3.0)
    many = wb.Problem(wb.Mixture(torch.rand(60) + 0.1, (d,) * 60), model, spec)
    one = wb.Problem(d, model, spec)
    assert wb.Moments()(many).log10_p == pytest.approx(wb.Moments()(one).log10_p, rel=1e-13)


def test_box_starts_from_its_exact_moments():
    """A linear map of a box: mean and covariance are exact, whatever the law."""
    box = wb.Box(torch.tensor([0.0, -3.0]), torch.tensor([1.0, 5.0]))
    weight = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])
    (piece,) = box.pieces()
    m, v = law(chain([dense(weight)]), piece.mean, piece.cov)
    torch.testing.assert_close(m, weight @ torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(v, weight @ torch.diag(torch.tensor([1 / 12, 64 / 12])) @ weight.T)


@each_propagator
def test_every_layer_s_law_against_sampling_on_the_first_hidden_layer(propagator):
    """`laws` gives every node in order; up to the first activation marginals are exact for
    independent inputs. 200,000 draws, 5.5 standard errors."""
    model = mlp([4, 5, 3, 1], torch.Generator().manual_seed(0), bias_std=0.3)
    d = standard(4)
    graph = problem(model, d).graph
    with torch.no_grad():
        laws = propagator.laws(graph, d.pieces()[0])
        draws = d.sample(200_000, torch.Generator().manual_seed(1))
        values = activations_of(graph, draws)
    assert [len(m) for m, _ in laws] == [v.shape[1] for v in values]
    for (mean, var), value in list(zip(laws, values, strict=True))[:3]:
        error = 5.5 * value.std(0) / math.sqrt(len(draws))
        assert bool(((value.mean(0) - mean).abs() < error).all())
        squares = (value - mean).square()
        error = 5.5 * squares.std(0) / math.sqrt(len(draws))
        assert bool(((squares.mean(0) - var).abs() < error).all())


def test_the_head_is_propagated_as_one_linear_map():
    """`law` joins the last Linear and the margins: the same as the joint law of the outputs."""
    model = mlp([3, 6, 4], torch.Generator().manual_seed(0), bias_std=0.3)
    a, b = rand(1, 2, 4), rand(2, 2)
    mean, cov = rand(3, 3), covariance(3, 4)
    with torch.no_grad():
        graph = problem(model, standard(3), 4).graph
        piece = Piece(torch.zeros(()), mean, cov)
        joined, _ = Covariance().law(graph, piece, a, b)
    m, v = law(model, mean, cov)
    torch.testing.assert_close(joined.mean, a @ m + b)
    torch.testing.assert_close(joined.cov, a @ v @ a.T)


WIDE = {
    "mlp": mlp([64, 48, 96, 1], torch.Generator().manual_seed(0)),
    "residual": Network(
        [dense(rand(0, 64, 64)), nn.ReLU(), dense(rand(1, 64, 64)), nn.ReLU(), Sum(),
         dense(rand(2, 1, 64))],
        [[0], [1], [2], [3], [4, 2], [5]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", WIDE.values(), ids=WIDE)
@pytest.mark.parametrize("cls", [c for c in ALL if c is not Cumulant4], ids=lambda c: c.name)
@torch.no_grad()
def test_operations_are_those_of_the_products_and_a_fifth_for_the_rest(cls, model):
    """Against torch's own count, which leaves out all that is elementwise."""
    piece = Piece(torch.zeros(()), torch.zeros(64), covariance(64, 3))
    graph = read(model)
    with FlopCounterMode(display=False) as counted:
        _, flops = cls().law(graph, piece, torch.ones(1, 1), torch.zeros(1))
    assert 1.0 < flops / counted.get_total_flops() < 1.2
