"""Softmax, its logarithm and maxima: what propagation and bounds make of their trees."""

import pytest
import torch
from operation_parts import Call, made, rand
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.math.region import Region
from workbench.problem import before_softmax
from workbench.propagation import Covariance, Cumulant
from workbench.propagation.intervals import moves
from workbench.propagation.linear_bounds import Frame, bound


def law_of(module, mean, root, propagator):
    d = len(mean)
    with torch.no_grad():
        k = module(mean[None]).shape[1]
        piece = Piece(torch.zeros(()), mean, root @ root.T)
        return propagator.law(read(module, d), piece, torch.eye(k), torch.zeros(k))[0]


def drawn(module, mean, root, n=200_000):
    with torch.no_grad():
        return module(mean + rand(3, n, len(mean)) @ root.T)


def test_a_softmax_of_two_is_a_sigmoid_of_their_difference():
    mean, root = rand(1, 2), rand(2, 2, 2)
    other = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    with torch.no_grad():
        other[0].weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
        other[0].bias.zero_()
    for propagator in (Covariance(), Cumulant()):
        one, two = (law_of(m, mean, root, propagator) for m in (nn.Softmax(1), other))
        torch.testing.assert_close(one.mean, two.mean)
        torch.testing.assert_close(one.cov, two.cov)


@pytest.mark.parametrize("n, scale", [(3, 0.5), (3, 2.0), (10, 0.5), (10, 2.0)])
@pytest.mark.parametrize("which", [nn.Softmax(1), nn.LogSoftmax(1)], ids=["softmax", "log"])
def test_moments_are_near_what_is_sampled(which, n, scale):
    """Errors of means and covariances, over the root mean square deviation, as measured.

    The sampled values' own errors reach 0.006 of it.
    """
    mean, root = rand(1, n), scale * rand(2, n, n) / n**0.5
    stated = {(3, 0.5): (0.02, 0.05), (3, 2.0): (0.06, 0.2), (10, 0.5): (0.02, 0.1),
              (10, 2.0): (0.03, 0.5)}[n, scale]  # fmt: skip
    law, y = law_of(which, mean, root, Covariance()), drawn(which, mean, root)
    cov = torch.cov(y.T)
    spread = float(cov.diagonal().mean())
    error = float((y.mean(0) - law.mean).abs().max()) / spread**0.5
    off = float((cov - law.cov).abs().max()) / spread
    assert error < stated[0] and off < stated[1], (error, off)


def test_differences_of_log_softmax_are_those_of_its_input():
    """So that a classifier has the same answer with its log softmax as without."""
    net = made(lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 5)))
    d, c = wb.Gaussian(rand(0, 4), torch.ones(4)), wb.Argmax(2, "wins", 0.5)
    one, two = (
        wb.Moments()(wb.Problem(d, m, c)) for m in (net, nn.Sequential(net, nn.LogSoftmax(1)))
    )
    assert one.log10_p == pytest.approx(two.log10_p, rel=1e-9)


@pytest.mark.parametrize("label, event", [(0, "wins"), (1, "loses")])
@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)], ids=["softmax", "log"])
@pytest.mark.parametrize("estimator", [wb.Moments(), wb.Moments("cumulant", "edgeworth"),
                                       wb.Slices(), wb.Lower()], ids=lambda e: e.name)  # fmt: skip
def test_a_softmax_of_which_c_compares_classes_alone_is_left_unread(label, event, last, estimator):
    net = made(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))
    d, c = wb.Gaussian(rand(0, 4), torch.ones(4)), wb.Argmax(label, event)
    c = c & wb.Halfspace(torch.tensor([0.0, 0.5, -0.5]))
    one, two = (
        estimator(wb.Problem(d, m, c), budget=2_000) for m in (net, nn.Sequential(net, last))
    )
    assert one.log10_p == pytest.approx(two.log10_p, rel=1e-9) and one.log10_p > -2.0
    assert one.warning == two.warning


def test_a_softmax_of_which_c_asks_more_is_read():
    offset = torch.zeros((), requires_grad=True)
    net = made(lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)))
    whole = made(lambda: nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(1)))
    one, two = torch.tensor([1.0, -1.0, 0.0]), torch.tensor([1.0, -0.5, -0.5])
    d = wb.Gaussian(torch.zeros(4), torch.ones(4))
    for m, c, read_whole in (
        (net, wb.Halfspace(one), False),
        (net, wb.Halfspace(one, 0.1), True),
        (net, wb.Halfspace(one, offset), True),
        (net, wb.Halfspace(two), True),
        (net, wb.Halfspace(one) | wb.Halfspace(one.abs(), -0.9), True),
        (whole, wb.Halfspace(two, 0.1), False),
        (whole, wb.Halfspace(one.abs(), 0.9), True),
    ):
        problem = wb.Problem(d, m, c)
        assert (before_softmax(problem) is problem) == read_whole
        assert len(problem.graph.nodes) > 2  # the problem itself stays as it is
    pairs = Call(lambda m, x: m.parts[0](x).view(-1, 2, 2).softmax(1).flatten(1), nn.Linear(4, 4))
    along = wb.Problem(d, made(lambda: pairs), wb.Halfspace(torch.tensor([1.0, -1.0, 0.0, 0.0])))
    assert before_softmax(along) is along


def test_bounds_of_a_softmax_are_probabilities_and_sharp_where_one_wins():
    low, high = torch.tensor([[4.0, -1.0, -1.0, 0.0]]), torch.tensor([[5.0, 1.0, 0.5, 0.5]])
    path = moves(read(nn.Softmax(1), 4), 4, torch.float64)
    frame = Frame(torch.zeros(4), torch.eye(4))
    found = bound(path, frame, Region.box(low, high), torch.eye(4), torch.zeros(4))
    assert bool((found.least >= -1e-12).all()) and bool((found.most <= 1.0 + 1e-12).all())
    corners = torch.cartesian_prod(*torch.cat([low, high]).T).softmax(1)
    assert bool((found.least[0] <= corners.amin(0)).all())
    assert bool((corners.amax(0) <= found.most[0]).all())
    assert float(found.least[0, 0]) > corners[:, 0].min() - 0.05


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("least", [False, True])
def test_extremes_over_an_axis(n, least):
    """Mean and deviation of an extreme against draws, whose own errors reach 0.004."""
    name = "amin" if least else "amax"
    module = Call(lambda m, x: getattr(x, name)(1, keepdim=True))
    mean, root = 0.5 * rand(1, n), rand(2, n, n)
    law, y = law_of(module, mean, root, Covariance(order=40)), drawn(module, mean, root)
    tolerance = 0.01 if n == 2 else 0.1
    assert abs(float(law.mean - y.mean())) < tolerance
    assert abs(float(law.std / y.std()) - 1.0) < tolerance


def test_gradients_through_a_softmax():
    net = made(lambda: nn.Sequential(nn.Linear(3, 5), nn.Softmax(1)))

    def value(mean):
        d, c = wb.Gaussian(mean, torch.ones(3)), wb.Halfspace(torch.eye(5)[1], -0.5)
        return wb.Moments()(wb.Problem(d, net, c)).log_p

    assert torch.autograd.gradcheck(value, rand(3, 3).requires_grad_())
