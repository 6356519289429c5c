"""Accuracy of tiny recurrent networks from their weights: exact angles, sampling, and the cells."""

import math

import pytest
import torch
from scipy.integrate import quad

import workbench as wb
from workbench import catalogue
from workbench.bench.algzoo import noised, sampled
from workbench.errors import BadInput, Unsupported
from workbench.estimators.ordered import in_order
from workbench.math.cosine import cosine_cdf
from workbench.math.lattice import korobov
from workbench.math.order import position
from workbench.models import RNN, dense, random_rnn

DRAWS, ERRORS = 200_000, 5.0  # standard errors: a false alarm in two million
STANDARD = {n: wb.Gaussian(torch.zeros(n).double(), torch.ones(n).double()) for n in range(2, 12)}


def random_problem(hidden, n, rank, seed=0):
    model = random_rnn(1, hidden, n, n, torch.Generator().manual_seed(seed)).requires_grad_(False)
    return wb.Problem(STANDARD[n], model, wb.Points(rank))


@pytest.mark.parametrize("k", range(8))
def test_law_of_the_cosine(k):
    for angle in (-1.5, -0.3, 0.0, 0.7, math.pi / 2):
        part, _ = quad(lambda t: math.cos(t) ** k, -math.pi / 2, angle)
        whole, _ = quad(lambda t: math.cos(t) ** k, -math.pi / 2, math.pi / 2)
        assert float(cosine_cdf(torch.tensor(angle).double(), k)) == pytest.approx(
            part / whole, abs=1e-12
        )


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_position_is_that_of_a_sorted_row(rank):
    x = torch.randn(500, 5, generator=torch.Generator().manual_seed(0))
    slow = [sorted(range(5), key=lambda i, row=row: -row[i])[rank] for row in x.tolist()]
    assert position(x, rank).tolist() == slow
    with pytest.raises(BadInput, match="no rank 5"):
        position(x, 5)


@pytest.mark.parametrize("q", [0, 1, 3, 5])
def test_ordered_entries_are_a_standard_normal_vector(q):
    """Order as told; mean, covariance and 4th moments of plain draws within 5 standard errors."""
    u = torch.rand(DRAWS, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, order = in_order(u, q)
    if q:
        assert torch.equal(order[:, :q], torch.argsort(x, 1, descending=True)[:, :q])
    assert bool((order.sort(1).values == torch.arange(5)).all())
    for value, want, sd in (
        (x.mean(0), 0.0, 1.0),
        (x.square().mean(0), 1.0, math.sqrt(2.0)),
        (x.pow(4).mean(0), 3.0, math.sqrt(96.0)),
        ((x[:, :4] * x[:, 1:]).mean(0), 0.0, 1.0),
    ):
        assert float((value - want).abs().max()) < ERRORS * sd / math.sqrt(DRAWS)
    if q == 0:
        return
    cells = torch.unique(order[:, :q], dim=0, return_counts=True)[1].double()
    assert len(cells) == math.perm(5, q)
    p = 1.0 / len(cells)
    assert float((cells / DRAWS - p).abs().max()) < ERRORS * math.sqrt(p / DRAWS)


def test_of_all_lattices_the_one_of_least_error_is_taken():
    """Against the error of every odd a by its definition, in plain sums."""

    def error(a):
        total = 0.0
        for i in range(32):
            term = 1.0
            for j in range(3):
                x = i * a**j % 32 / 32
                term *= 1.0 + 2.0 * 0.7**j * (x * x - x + 1 / 6)
            total += term / 32
        return total

    taken = round(float(korobov(32, 3)[1, 1]) * 32)
    torch.testing.assert_close(
        korobov(32, 3),
        torch.tensor([[i * taken**j % 32 / 32 for j in range(3)] for i in range(32)]),
    )
    assert error(taken) == pytest.approx(min(error(a) for a in range(1, 32, 2)), rel=1e-12)


def test_a_lattice_is_even_in_each_coordinate():
    x = korobov(64, 9)
    for column in x.T:
        assert torch.equal(column.sort().values * 64, torch.arange(64).double())


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_two_inputs_are_exact(rank, seed):
    """Against the angles at which the answer changes, by bisection from a fine grid."""
    problem = random_problem(4, 2, rank, seed)
    estimate = wb.LastInput()(problem)
    assert estimate.log_err == 0.0

    def right(angle):
        return problem.margin(torch.stack([angle.cos(), angle.sin()], 1)) > 0

    grid = torch.linspace(0.0, 2.0 * math.pi, 20_001, dtype=torch.float64)
    inside = right(grid)
    k = torch.nonzero(inside[1:] != inside[:-1])[:, 0]
    low, high, start = grid[k], grid[k + 1], inside[k]
    for _ in range(60):
        middle = 0.5 * (low + high)
        same = right(middle) == start
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    ends = torch.cat([low, grid[-1:]]) - torch.cat([grid[:1], low])
    held = torch.cat([start, inside[-1:]])
    exact = float(ends[held].sum()) / (2.0 * math.pi)
    assert float(estimate.log_p.exp()) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("inner", ["line", "point"])
@pytest.mark.parametrize("hidden, n, rank", [(3, 3, 0), (3, 3, 2), (4, 4, 1), (5, 5, 2), (4, 9, 4)])
def test_lines_and_points_agree_with_draws(hidden, n, rank, inner):
    problem = random_problem(hidden, n, rank)
    estimate = wb.LastInput(2048, 8, inner)(problem, 10**9)
    p = float(estimate.log_p.exp())
    plain = sampled(problem, DRAWS, wb.Rng(3))
    error = math.hypot(p * estimate.log_err, math.sqrt(p * (1.0 - p) / DRAWS))
    assert abs(p - plain) < ERRORS * error


@pytest.mark.parametrize("name", ["algzoo_second_h6_n3", "algzoo_argmedian_h4_n7"])
def test_stored_truths_hold(name):
    problem = wb.load(name)
    p = 10.0**problem.truth.log10_p
    plain = sampled(problem, DRAWS, wb.Rng(4))
    assert abs(p - plain) < ERRORS * math.sqrt(p * (1.0 - p) / DRAWS)
    assert problem.truth.se_log10 < 1e-3


def test_a_tie_is_no_right_answer():
    """A network whose ReLUs are all off says nothing: half of all inputs, for one unit."""
    one = torch.ones(1, 1).double()
    model = RNN(dense(one), dense(0.0 * one), dense(torch.tensor([[0.0], [1.0]]).double()), 2)
    estimate = wb.LastInput()(wb.Problem(STANDARD[2], model, wb.Points(0)))
    # Right where x_2 > 0 and x_2 > x_1: three eighths of the plane.
    assert float(estimate.log_p.exp()) == pytest.approx(0.375, abs=1e-12)


def test_it_keeps_to_its_budget_and_says_what_it_needs():
    problem = wb.load("algzoo_second_h4_n5")
    for budget in (1, 100, 10_000):
        assert wb.LastInput()(problem, budget).cost.forwards <= budget
    assert wb.LastInput()(problem, 1).warning
    biased = RNN(
        dense(torch.ones(2, 1).double(), torch.ones(2).double()),
        dense(torch.eye(2).double()),
        dense(torch.ones(3, 2).double()),
        3,
    )
    with pytest.raises(Unsupported, match="biases"):
        wb.LastInput()(wb.Problem(STANDARD[3], biased, wb.Points(0)))
    shifted = wb.Gaussian(torch.ones(5).double(), torch.ones(5).double())
    with pytest.raises(Unsupported, match="gaussian that is not"):
        wb.LastInput()(problem.vary(shifted))
    with pytest.raises(Unsupported, match="a Ranked spec is needed"):
        wb.LastInput()(wb.load("A_d10_1e-3"))
    with pytest.raises(BadInput, match="power of two"):
        wb.LastInput(points=100)


def test_the_catalogue_has_the_published_sizes():
    sizes = {n: catalogue.tiny_size(n) for n in catalogue.algzoo_names()}
    assert sizes["algzoo_second_h2_n2"] == 10 and sizes["algzoo_second_h16_n10"] == 432
    second = [n for n, size in sizes.items() if n.startswith("algzoo_second") and size <= 100]
    assert len(second) == 36 + 2  # of them two by hand
    problem = wb.load("algzoo_argmax_h3_n2")
    assert sum(p.numel() for p in problem.model.parameters()) == sizes[problem.name]
    assert 10.0**problem.truth.log10_p > 0.99


def test_noise_is_a_tenth_of_the_weights():
    problem = wb.load("algzoo_second_h16_n10")
    copy = noised(problem, wb.Rng(0))
    was, now = problem.model.recur.weight, copy.model.recur.weight
    share = float((now - was).std() / was.square().mean().sqrt())
    assert abs(share - 0.1) < ERRORS * 0.1 / math.sqrt(2 * 256)


def test_a_pointing_is_right_or_wrong_and_a_card_holds_it(tmp_path):
    problem = wb.load("algzoo_second_h4_n5")
    x = torch.randn(1000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    right = problem.model(x).argmax(1) == position(x, 1)
    assert torch.equal(problem.margin(x) > 0, right)
    assert torch.equal((~problem.spec).margin(x, problem.model(x)), -problem.margin(x))
    again = wb.load(problem.save(tmp_path))
    assert again.spec.rank == 1 and torch.equal(again.margin(x), problem.margin(x))
    for bad in ({"rank": -1}, {"event": "odd"}):
        with pytest.raises(BadInput, match="of a pointing"):
            wb.Points(**bad)
    with pytest.raises(BadInput, match="rank 7 needs"):
        wb.Problem(STANDARD[5], problem.model, wb.Points(7))
