"""Many pieces at once: exact where margins are affine, beside `conditioned` where they are not."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators.pieces import Field, event_of, mislabelled, pieces_of
from workbench.estimators.tangents import log_p_each
from workbench.iteration import UNLIMITED
from workbench.math.gaussian import log_cdf
from workbench.math.least_distance import nearest
from workbench.math.nodes import normal_nodes
from workbench.models import dense, mlp
from workbench.objective import log_p_and_grad

CENTRES = torch.tensor([[0.3, -1.0, 0.4], [2.0, 0.1, -0.5], [-1.5, 0.2, 3.0], [0.0, 0.0, 0.0]])


def mixture(centres: torch.Tensor, sigma: float = 0.5) -> wb.Mixture:
    scale = torch.full_like(centres[0], sigma)
    weights = torch.arange(1.0, len(centres) + 1.0, dtype=centres.dtype)
    return wb.Mixture(weights, tuple(wb.Gaussian(c, scale) for c in centres))


def linear() -> torch.nn.Module:
    g = torch.Generator().manual_seed(2)
    return dense(torch.randn(2, 3, generator=g), torch.randn(2, generator=g)).double()


def by_hand(model: torch.nn.Module, sigma: float = 0.5) -> torch.Tensor:
    """log P that class 0 loses to class 1 under each piece: one half-space."""
    weight, bias = model.parameters()
    a = weight[1] - weight[0]
    return log_cdf((CENTRES @ a + bias[1] - bias[0]) / (sigma * a.norm()))


@pytest.mark.parametrize("lines", [0, 1, 7])
def test_a_linear_classifier_of_two_classes_is_exact(lines):
    model = linear()
    problem = wb.Problem(mixture(CENTRES), model, wb.Argmax(0))
    weight = torch.tensor([0.1, 0.2, 0.3, 0.4])
    exact = torch.log((weight * by_hand(model).exp()).sum())
    found = wb.Tangent(lines=lines)(problem)
    torch.testing.assert_close(found.log_p, exact, rtol=1e-12, atol=0.0)
    # and so is its gradient in the weights
    parameters = list(model.parameters())
    _, slope = log_p_and_grad(problem, wb.Tangent(lines=lines), parameters)
    for mine, true in zip(slope, torch.autograd.grad(exact, parameters), strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-9, atol=1e-12)


def test_each_piece_has_its_own_label():
    model, labels = linear(), torch.tensor([0, 1, 1, 0])
    each, _ = log_p_each(
        model, pieces_of(mixture(CENTRES)), mislabelled(labels, 2), torch.zeros(1, 3), rivals=1
    )
    lost = by_hand(model)
    kept = torch.log(-torch.expm1(lost))
    torch.testing.assert_close(each, torch.where(labels == 0, lost, kept), rtol=1e-9, atol=1e-12)


def test_the_gradient_of_a_network_is_that_of_its_value():
    """Differences of the value, nodes held: the lines move as the crossings do."""
    g = torch.Generator().manual_seed(1)
    model = mlp([3, 12, 12, 2], g, activation="tanh")
    problem, estimator = wb.Problem(mixture(CENTRES), model, wb.Argmax(0)), wb.Tangent(lines=6)
    parameters = list(model.parameters())
    _, slope = log_p_and_grad(problem, estimator, parameters)
    way = [torch.randn(p.shape, generator=g, dtype=p.dtype) for p in parameters]
    along, values, step = (
        sum(float((a * b).sum()) for a, b in zip(slope, way, strict=True)),
        [],
        1e-5,
    )
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for p, w in zip(parameters, way, strict=True):
                p.add_(sign * step * w)
            values.append(float(estimator(problem).log_p.detach()))
            for p, w in zip(parameters, way, strict=True):
                p.sub_(sign * step * w)
    # the direction u moves too, to which a mean over few lines owes something: a few per cent
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(along, rel=0.05)


def test_the_nearest_point_of_a_cone():
    """Two planes at an angle: by hand, and one that does not bind."""
    normal = torch.tensor([[[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [0.0, 1.0]]])
    offset = torch.tensor([[-1.0, -2.0], [-1.0, 3.0]])
    point = nearest(normal, offset, 6)
    torch.testing.assert_close(point[0], torch.tensor([1.2, 1.6]), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(point[1], torch.tensor([1.0, 0.0]), rtol=1e-6, atol=1e-6)


def test_a_clause_of_two_literals_is_entered_along_their_bisector():
    """P of the quadrant z > 2, w > 2 is Phi(-2)^2; along one direction some tenths of a digit."""
    spec = wb.Halfspace(torch.tensor([1.0, 0.0]), -2.0) & wb.Halfspace(
        torch.tensor([0.0, 1.0]), -2.0
    )
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, dense(torch.eye(2)), spec)
    exact = 2.0 * float(log_cdf(torch.tensor(-2.0))) / math.log(10.0)
    assert wb.Tangent(lines=512)(problem).log10_p == pytest.approx(exact, abs=0.05)
    found = wb.Strata()(problem, 20_000, 4)
    low, high = found.log10_interval
    assert low - 0.05 < exact < high + 0.05  # 95% and half as much again: z = 4.5 and more


def digits_points(n: int) -> list[wb.Problem]:
    from workbench.training import digits

    problem = wb.load("digits")
    x, y = digits.task().held_out
    with torch.no_grad():
        right = problem.model(x).argmax(1) == y
    return [
        problem.vary(wb.Gaussian(x[i], torch.full_like(x[i], 0.1)), wb.Argmax(int(y[i])))
        for i in torch.nonzero(right).flatten()[:n].tolist()
    ]


@pytest.mark.slow
def test_digits_beside_conditioned():
    """One image each, in digits; `bench digits` has fifty."""
    gaps = []
    for problem in digits_points(8):
        gaps.append(
            wb.Tangent()(problem).log10_p - wb.Conditioned(search="margin")(problem).log10_p
        )
    gaps = torch.tensor(gaps).abs()
    assert float(gaps.median()) < 0.1
    assert float(gaps.max()) < 0.7


def test_strata_agree_with_plain_draws_on_a_mixture():
    model = mlp([3, 12, 12, 2], torch.Generator().manual_seed(1))
    problem = wb.Problem(mixture(CENTRES, 1.0), model, wb.Argmax(0))
    a, b = wb.Strata()(problem, 40_000, 1), wb.MonteCarlo()(problem, 400_000, 2)
    # five combined standard errors: a false alarm in 2 million
    assert abs(float(a.log_p - b.log_p)) < 5.0 * math.hypot(a.log_err, b.log_err)


def test_a_budget_that_holds_some_pieces_says_so():
    problem = wb.Problem(mixture(CENTRES), linear(), wb.Argmax(0))
    state = wb.Tangent().init(problem, wb.Rng(0))
    cost = wb.Tangent()(problem, UNLIMITED).cost.forwards
    found = wb.Tangent()(problem, wb.Budget(cost - 1))
    assert "3 of 4 pieces" in found.warning
    assert len(state.each) == 0


def test_what_is_no_mixture_of_gaussians_of_one_kind_is_one_piece():
    """Its noise is followed: P(x > 0.9) = 0.1 under the uniform law of x."""
    box = wb.Box(torch.zeros(1), torch.ones(1))
    problem = wb.Problem(box, dense(torch.ones(1, 1)), wb.Halfspace(torch.ones(1), -0.9))
    assert 10.0 ** wb.Tangent()(problem).log10_p == pytest.approx(0.1, rel=1e-3)
    low, high = wb.Strata()(problem, 4_000, 1).log10_interval
    assert low - 0.02 < -1.0 < high + 0.02


def test_fields_name_the_literals_of_shorter_clauses_twice():
    a = wb.Halfspace(torch.tensor([1.0, 0.0]), 0.0)
    b = wb.Halfspace(torch.tensor([0.0, 1.0]), 0.0)
    event = event_of((a & b) | a, 2, CENTRES)
    field = Field(linear(), pieces_of(mixture(CENTRES)), event)
    assert field.members.tolist() == [[0, 1], [2, 2]]


def test_nodes_do_not_hang_on_the_default_precision():
    """A run that one process began and another goes on with has the same ones, bit for bit."""
    usual, found = torch.get_default_dtype(), []
    try:
        for dtype in (torch.float32, torch.float64):
            torch.set_default_dtype(dtype)
            found.append(torch.cat([normal_nodes(3, 5, net=7), normal_nodes(2, 5, 7, first=3)]))
    finally:
        torch.set_default_dtype(usual)
    assert torch.equal(*found)
