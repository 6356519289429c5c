"""Polytopes under a normal law: closed forms, scipy, and families A and the minimum tree."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

import workbench as wb
from workbench.catalogue import names
from workbench.estimators import Orthant
from workbench.math import tilted
from workbench.math.disjoint import MOST, disjoint
from workbench.models import dense

LN10 = math.log(10.0)
SIGMAS = 5.0  # of the stated error, from 8 scrambles or more: a false alarm below 2e-3 at worst
# (Student's t of 7), with seeds fixed


def normal(d):
    return wb.Gaussian(torch.zeros(d), torch.ones(d))


def polytope(rows, offsets):
    """P(rows z + offsets > 0) for standard noise, as a problem."""
    rows, offsets = torch.as_tensor(rows), torch.as_tensor(offsets)
    spec = wb.Polytope(torch.eye(len(rows)), offsets)
    return wb.Problem(normal(rows.shape[1]), dense(rows), spec)


def error(found, log_p):
    """Relative, and in standard errors."""
    gap = abs(found.log10_p * LN10 - log_p)
    return gap, gap / found.log_err


@pytest.mark.parametrize("name", [n for n in names() if n.startswith("A_")])
def test_family_a_is_log_phi(name):
    problem = wb.load(name)
    found = Orthant()(problem)
    assert error(found, problem.truth.log_p)[0] < 1e-9 and found.log_err < 1e-11


def test_the_minimum_tree_is_the_minimum_of_four_projections():
    """So that P = Phi(-t)^4: the network against the minimum, at 10,000 places."""
    problem = wb.load("D_mintree_1e-7")
    g = torch.Generator().manual_seed(0)
    z = 3.0 * torch.randn(10_000, problem.distribution.dim, generator=g)
    q = _projections(problem, z)
    with torch.no_grad():
        least = (z @ q.T).amin(1) - 2.0
        s = problem.margin_of_noise(z)
    assert torch.allclose(q @ q.T, torch.eye(4), atol=1e-5)
    assert float((s - least).abs().max()) < 1e-4  # the gradients are kept to six decimals
    assert problem.truth.log_p == pytest.approx(4.0 * norm.logcdf(-2.0), abs=1e-12)


def _projections(problem, z):
    """The four gradients that the margin takes."""
    z = z.clone().requires_grad_()
    with torch.enable_grad():
        (g,) = torch.autograd.grad(problem.margin_of_noise(z).sum(), z)
    return torch.unique((g * 1e6).round() / 1e6, dim=0)


@pytest.mark.parametrize("d, t", [(3, 1.0), (5, 3.0), (8, 5.0), (10, 3.0)])
def test_independent_half_spaces_multiply(d, t):
    rotation = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(d)))[0]
    found = Orthant()(polytope(rotation, torch.full((d,), -t)))
    assert error(found, d * norm.logcdf(-t))[0] < 1e-8


def equicorrelated(n, t):
    """log P(all (x_0 + x_i) / sqrt 2 > t), by one integral over x_0."""

    def log_f(x):
        return norm.logpdf(x) + n * norm.logcdf(x - t * math.sqrt(2.0))

    grid = np.linspace(-5.0, 20.0, 5001)
    top = grid[np.argmax([log_f(x) for x in grid])]
    scale = log_f(top)
    value = quad(lambda x: math.exp(log_f(x) - scale), top - 9, top + 9, epsrel=1e-12, limit=200)[0]
    return scale + math.log(value)


@pytest.mark.parametrize("n, t", [(3, 0.0), (3, 6.0), (5, 3.0), (8, 6.0), (4, 10.0)])
def test_equicorrelated_half_spaces(n, t):
    rows = torch.cat([torch.ones(n, 1), torch.eye(n)], dim=1) / math.sqrt(2.0)
    found = Orthant()(polytope(rows, torch.full((n,), -t)))
    relative, sigmas = error(found, equicorrelated(n, t))
    assert relative < 1e-4 and sigmas < SIGMAS and found.log_err < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_against_scipy_where_p_is_not_tiny(seed):
    """Four half-spaces in four dimensions; scipy's own error is about 1e-5."""
    g = torch.Generator().manual_seed(seed)
    rows, b = torch.randn(4, 4, generator=g), torch.randn(4, generator=g)
    cov = (rows @ rows.T).numpy()
    want = multivariate_normal.cdf(
        b.numpy(), np.zeros(4), cov, maxpts=400_000, abseps=1e-7, releps=1e-7,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    found = Orthant()(polytope(rows, b))
    assert abs(10**found.log10_p / want - 1.0) < 1e-4 + SIGMAS * found.log_err


@pytest.mark.parametrize("r, d", [(4, 3), (6, 4), (8, 3), (5, 2), (3, 1)])
def test_a_polytope_and_its_complement_sum_to_one(r, d):
    """More half-spaces than dimensions too. The complement is a sum of r disjoint cells."""
    g = torch.Generator().manual_seed(10 * r + d)
    rows = torch.randn(r, d, generator=g)
    rows, b = rows / rows.norm(dim=1, keepdim=True), torch.full((r,), 0.7)
    problem = polytope(rows, b)
    inside = Orthant()(problem)
    outside = Orthant()(problem.vary(spec=~problem.spec))
    one = 10**inside.log10_p + 10**outside.log10_p
    slack = math.hypot(10**inside.log10_p * inside.log_err, outside.log_err)
    assert abs(one - 1.0) < SIGMAS * slack and slack < 1e-4


def test_a_union_far_in_the_tail_subtracts_nothing():
    """Four perpendicular half-spaces at 11: 1 - (1 - p)^4 = 4 p - 6 p^2, p = 2e-28."""
    problem = polytope(torch.eye(4), torch.full((4,), -11.0))
    spec = wb.Or(tuple(wb.Halfspace(e, -11.0) for e in torch.eye(4)))
    found = Orthant()(problem.vary(spec=spec))
    assert error(found, math.log(4.0) + norm.logcdf(-11.0))[0] < 1e-6
    assert found.log10_p < -27


def test_one_against_all_rivals():
    """Argmax loses: y = x but for a head start c of class 0; P by one integral over y_0."""
    n, c = 5, 6.0
    model = dense(torch.eye(n), torch.tensor([c] + [0.0] * (n - 1)))
    found = Orthant()(wb.Problem(normal(n), model, wb.Argmax(0)))

    def f(x):
        return norm.pdf(x) * -math.expm1((n - 1) * norm.logcdf(x + c))

    want = quad(f, -12.0, 8.0, epsabs=0.0, epsrel=1e-11, limit=400)[0]
    relative, sigmas = error(found, math.log(want))
    assert relative < 1e-5 and sigmas < SIGMAS


def test_mixtures_affine_chains_and_constant_literals():
    parts = tuple(wb.Gaussian(torch.full((3,), m), torch.eye(3) * 0.5) for m in (0.0, 1.0))
    d = wb.Mixture(torch.tensor([3.0, 1.0]), parts)
    model = torch.nn.Sequential(dense(torch.eye(3), torch.ones(3)), torch.nn.Flatten())
    always = wb.Halfspace(torch.zeros(3), 1.0)
    spec = wb.Polytope(torch.eye(3), torch.full((3,), -2.0)) & always
    want = 0.75 * norm.cdf(-2.0) ** 3 + 0.25 * 0.5**3
    assert error(Orthant()(wb.Problem(d, model, spec)), math.log(want))[0] < 1e-8
    never = wb.Problem(d, model, spec & ~always)
    assert Orthant()(never).log10_p == -math.inf and Orthant()(never).log_err == 0.0


def test_what_is_not_affine_or_not_normal_is_refused():
    with pytest.raises(wb.Unsupported, match="an affine model is needed"):
        Orthant()(wb.load("B_w32_h2_1e-3"))
    box = wb.Box(torch.zeros(3), torch.ones(3))
    with pytest.raises(wb.Unsupported, match="a normal law"):
        Orthant()(
            wb.Problem(box, dense(torch.eye(3)), wb.Polytope(torch.eye(3), -0.5 * torch.ones(3)))
        )


def test_separated_constraints_are_the_same_constraints():
    """The rows after rotation have the same products, the first ones a lower triangle."""
    a = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    a, b = tilted.standardised(a, torch.linspace(-2.0, 1.0, 6))
    s = tilted.separate(a, b)
    order = [int(torch.nonzero(b == x)) for x in s.beta]
    assert torch.allclose(s.low @ s.low.T, a[order] @ a[order].T, atol=1e-9)
    assert not torch.triu(s.low[:4], 1).any() and bool((torch.diagonal(s.low[:4]) > 0).all())


def test_repeated_and_flat_constraints_are_left_out():
    a = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 3.0]])
    rows, b = tilted.standardised(a, torch.tensor([5.0, 4.0, 1.0, 3.0]))
    assert sorted(zip(rows.tolist(), b.tolist(), strict=True)) == [
        ([0.0, 1.0], 1.0),
        ([1.0, 0.0], 2.0),
    ]
    assert tilted.standardised(a, torch.tensor([5.0, 4.0, -1.0, 3.0])) is None


@pytest.mark.parametrize("seed", range(4))
def test_disjoint_cells_partition_the_union(seed):
    """Over all truth assignments of six literals: one cell where the union holds, else none."""
    g = torch.Generator().manual_seed(seed)
    clauses = [tuple(torch.randperm(6, generator=g)[:n].tolist()) for n in (1, 2, 3, 2, 1)]
    cells = disjoint(clauses)
    for bits in range(64):
        truth = [bool(bits >> i & 1) for i in range(6)]
        union = any(all(truth[i] for i in c) for c in clauses)
        inside = sum(all(truth[i] is v for i, v in cell.items()) for cell in cells)
        assert inside == union


def test_too_many_cells_are_refused():
    clauses = [(3 * k, 3 * k + 1, 3 * k + 2) for k in range(12)]
    with pytest.raises(wb.Unsupported, match=f"at most {MOST}"):
        disjoint(clauses)


@pytest.mark.parametrize("angle", [0.0, 0.05, 2.0])
@pytest.mark.parametrize("end", [None, 6.5])
def test_a_strip_that_is_narrow_as_seen_from_the_mean_is_not_missed(angle, end):
    """Between +-0.004 across and beyond 6 along a turned axis, with and without an end."""
    c, s = math.cos(angle), math.sin(angle)
    along, across = [c, s, 0.0], [-s, c, 0.0]
    rows = [along, across, [-v for v in across]] + [[-v for v in along]] * (end is not None)
    offsets = [-6.0, 0.004, 0.004] + [end] * (end is not None)
    exact = math.log(norm.sf(6.0) - (norm.sf(end) if end else 0.0))
    exact += math.log(norm.cdf(0.004) - norm.cdf(-0.004))
    found = Orthant()(polytope(rows, offsets))
    assert error(found, exact)[0] < 1e-9


def test_a_polygon_without_a_point_stays_empty():
    rows = [[1.0, 0.0, 0.0], [-1.0, 0.1, 0.0], [-1.0, -0.1, 0.0]]
    assert Orthant()(polytope(rows, [-1.0, 0.9, 0.9])).log10_p == -math.inf
