"""Gaussian pairs, orthants and unions: exact products, closed forms, mpmath, scipy."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from workbench.math.gaussian import hazard, log_cdf
from workbench.math.logspace import log_sum
from workbench.math.orthant import _likely_together, log_bivariate_cdf, log_orthant, log_union

RHOS = [-0.999999, -0.9, -0.5, -1e-9, 0.0, 1e-4, 0.3, 0.9, 0.999999]


def exact_pair(a, b, rho, drop=90):
    """log P(X < a, Y < b) in 40 digits: int phi(y) Phi((a - rho y) / s) dy around its peak.

    (The library integrates over the other variable, so that the two share no nodes.)
    """
    with mp.workdps(40):
        a, b, rho = mp.mpf(a), mp.mpf(b), mp.mpf(rho)
        s = mp.sqrt((1 - rho) * (1 + rho))

        def log_f(y):
            return -y * y / 2 + mp.log(mp.erfc((rho * y - a) / s / mp.sqrt(2)) / 2)

        reach = 2 * (abs(a) + abs(b) + 20)
        low, high = b - reach, b
        for _ in range(120):
            third = (high - low) * mp.mpf("0.4")
            if log_f(low + third) < log_f(high - third):
                low = low + third
            else:
                high = high - third
        mode = (low + high) / 2
        top = log_f(mode)

        def edge(out):
            inside = mode
            if log_f(out) > top - drop:
                return out
            for _ in range(50):
                middle = (inside + out) / 2
                if log_f(middle) < top - drop:
                    out = middle
                else:
                    inside = middle
            return out

        left, right = edge(mode - reach), edge(b)
        cuts = {left + (right - left) * k / 12 for k in range(1, 12)}
        if rho != 0:
            cuts |= {a / rho + d * s / abs(rho) for d in (-9, -3, 0, 3, 9)}
        points = [left, *sorted(c for c in cuts if left < c < right), right]
        mass = mp.quad(lambda y: mp.exp(log_f(y) - top), points, maxdegree=5)
        return float(mp.log(mass) + top - mp.log(2 * mp.pi) / 2)


def correlation(n, seed, dims=None):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, dims or 2 * n, generator=generator)
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows @ rows.T


def pair(a, b, rho):
    return log_bivariate_cdf(*(torch.tensor(float(v)) for v in (a, b, rho))).item()


@pytest.mark.parametrize("rho", RHOS)
def test_quadrant_is_a_quarter_plus_arcsine(rho):
    assert math.exp(pair(0, 0, rho)) == pytest.approx(
        0.25 + math.asin(rho) / (2 * math.pi), rel=1e-11
    )


@pytest.mark.parametrize("a, b", [(-1.0, 2.0), (-30.0, -40.0), (5.0, -1e4), (1e3, 1e3)])
def test_independent_pair_is_a_product(a, b):
    product = (log_cdf(torch.tensor(a)) + log_cdf(torch.tensor(b))).item()
    assert pair(a, b, 0.0) == pytest.approx(product, rel=1e-13, abs=1e-14)


@pytest.mark.parametrize(
    "a, b, rho",
    [
        (-1.0, -2.0, 0.5), (-1.0, -2.0, -0.5), (1.5, -0.3, 0.95), (-8.0, -9.0, 0.8),
        (-8.0, -9.0, -0.8), (-35.0, 20.0, 0.86), (-40.0, -38.0, 0.999), (-300.0, -5.0, -0.3),
        (3.0, 4.0, -0.99), (-0.4, 0.37, -0.148), (0.386, -0.58, 0.99934),
        (-2.6, 1.28, -0.999999), (-2.6, 1.28, -1 + 1e-9), (-5.0, -5.0, 1 - 1e-9),
    ],
)  # fmt: skip
def test_pair_against_forty_digits(a, b, rho):
    truth = exact_pair(a, b, rho)
    assert pair(a, b, rho) == pytest.approx(truth, rel=1e-11)
    assert pair(b, a, rho) == pytest.approx(truth, rel=1e-11)


def test_pairs_against_scipy():
    rng = np.random.default_rng(1)
    for _ in range(30):
        (a, b), rho = rng.normal(size=2), rng.uniform(-0.99, 0.99)
        truth = multivariate_normal.cdf([a, b], cov=[[1, rho], [rho, 1]], abseps=1e-12)
        assert math.exp(pair(a, b, rho)) == pytest.approx(float(truth), abs=1e-8)


@settings(max_examples=60)
@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(-1, 1))
def test_pair_keeps_the_bounds_of_frechet(a, b, rho):
    """max(0, Phi(a) + Phi(b) - 1) <= P <= min(Phi(a), Phi(b)), for every correlation."""
    value = pair(a, b, rho)
    one, two = (log_cdf(torch.tensor(v)).item() for v in (a, b))
    assert value <= min(one, two) + 1e-12 * (1 + abs(min(one, two)))
    # Where the correlation is lifted off -1 by 1e-14 the probability moves by at most 4e-8.
    assert math.exp(value) >= math.exp(one) + math.exp(two) - 1 - 1e-7


@settings(max_examples=40)
@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(-0.999, 0.999))
def test_pair_and_its_complement_make_the_marginal(a, b, rho):
    """P(X < a, Y < b) + P(X < a, Y > b) = Phi(a)."""
    both = log_sum(torch.tensor([pair(a, b, rho), pair(a, -b, -rho)])).item()
    assert both == pytest.approx(log_cdf(torch.tensor(a)).item(), rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_pair_gradcheck(scale):
    a = torch.tensor([-1.0, 0.5, -2.0, 3.0]) * scale
    b = torch.tensor([0.3, -0.7, -2.5, 1.0]) * scale
    rho = torch.tensor([0.4, -0.6, 0.9, 0.0])
    inputs = tuple(t.requires_grad_() for t in (a, b, rho))
    assert torch.autograd.gradcheck(log_bivariate_cdf, inputs, rtol=1e-5)


@pytest.mark.parametrize("a, b, rho", [(-9.0, -7.0, 0.6), (-30.0, -31.0, -0.5), (-50.0, -2.0, 0.2)])
def test_pair_gradient_in_the_far_tail(a, b, rho):
    """Central differences of the 40-digit value."""
    inputs = [torch.tensor(v, requires_grad=True) for v in (a, b, rho)]
    grads = torch.autograd.grad(log_bivariate_cdf(*inputs), inputs)
    h = 1e-5
    for i, grad in enumerate(grads):
        up, down = [a, b, rho], [a, b, rho]
        up[i], down[i] = up[i] + h, down[i] - h
        slope = (exact_pair(*up) - exact_pair(*down)) / (2 * h)
        assert grad.item() == pytest.approx(slope, rel=1e-6)


def test_pair_with_a_sure_or_impossible_side():
    inf, t = math.inf, torch.tensor(-1.5)
    assert pair(inf, -1.5, 0.3) == pair(-1.5, inf, -0.9) == log_cdf(t).item()
    assert pair(-inf, 3.0, 0.3) == pair(3.0, -inf, 0.3) == -inf
    assert pair(inf, inf, 0.5) == 0.0
    a = torch.tensor([inf, -inf, -1.5], requires_grad=True)
    b = torch.tensor([-1.5, 3.0, inf], requires_grad=True)
    rho = torch.full((3,), 0.3, requires_grad=True)
    for grad in torch.autograd.grad(log_bivariate_cdf(a, b, rho)[[0, 2]].sum(), (a, b, rho)):
        assert bool(torch.isfinite(grad).all())


@pytest.mark.parametrize("beta", [-40.0, -3.0, 0.0, 2.0])
def test_pair_of_one_literal_with_itself_and_with_its_opposite(beta):
    one = log_cdf(torch.tensor(beta)).item()
    assert pair(beta, beta + 1.0, 1.0) == one
    assert pair(beta, -beta, -1.0) == -math.inf
    t = torch.tensor(beta, requires_grad=True)
    rho = torch.tensor(1.0, requires_grad=True)
    grads = torch.autograd.grad(log_bivariate_cdf(t, t, rho), (t, rho))
    alone = torch.autograd.grad(log_cdf(t), t)
    assert grads[0].item() == pytest.approx(alone[0].item(), rel=1e-9)
    assert math.isfinite(grads[1].item())


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_orthant_of_independent_literals_is_a_product(n):
    beta = torch.linspace(-30.0, 2.0, n)
    assert log_orthant(beta, torch.eye(n)).item() == pytest.approx(
        log_cdf(beta).sum().item(), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(4))
def test_orthant_of_three_at_the_centre(seed):
    """1/8 + (sum of arcsines) / (4 pi): Mendell-Elston is an approximation, good to 6% here."""
    corr = correlation(3, seed, dims=8)
    angles = sum(math.asin(corr[i, j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    truth = 0.125 + angles / (4 * math.pi)
    got = math.exp(log_orthant(torch.zeros(3), corr).item())
    assert got == pytest.approx(truth, rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_orthants_against_scipy(seed):
    beta = torch.tensor([-1.0, 0.3, -0.5, 0.8])
    corr = correlation(4, seed, dims=12)
    truth = multivariate_normal.cdf(
        beta.numpy(), cov=corr.numpy(), abseps=1e-7, releps=1e-6, rng=np.random.default_rng(0)
    )
    assert log_orthant(beta, corr).item() == pytest.approx(math.log(truth), abs=0.05)


def test_orthant_ignores_repeats_and_sees_contradictions():
    corr = correlation(3, 5)
    beta = torch.tensor([-2.0, -1.0, 0.5])
    alone = log_orthant(beta, corr).item()
    twice = torch.tensor([0, 1, 2, 1, 0])
    assert log_orthant(beta[twice], corr[twice][:, twice]).item() == pytest.approx(alone, rel=1e-12)
    signs = torch.tensor([1.0, 1.0, 1.0, -1.0])
    index = torch.tensor([0, 1, 2, 1])
    opposed = corr[index][:, index] * torch.outer(signs, signs)
    assert log_orthant(beta[index] * signs, opposed).item() == -math.inf


def test_orthant_with_sure_and_impossible_literals():
    inf = math.inf
    corr = torch.eye(3)
    one = log_cdf(torch.tensor(-1.0)).item()
    assert log_orthant(torch.tensor([inf, -1.0, inf]), corr).item() == one
    assert log_orthant(torch.tensor([inf, -1.0, -inf]), corr).item() == -inf
    assert log_orthant(torch.tensor([inf] * 3), corr).item() == 0.0


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_orthant_gradcheck(n):
    corr = correlation(n, 2)
    beta = torch.linspace(-3.0, -1.0, n).requires_grad_()
    # Only the upper triangle moves: the matrix stays symmetric.
    moved = torch.zeros(n, n, requires_grad=True)

    def value(beta, moved):
        off = torch.triu(moved, 1)
        return log_orthant(beta, corr + off + off.T)

    assert torch.autograd.gradcheck(value, (beta, moved))


@pytest.mark.parametrize("beta", [[-1.0, 0.5], [-8.0, -9.0], [-40.0, -40.5]])
@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.5, 0.99])
def test_union_of_two_is_exact(beta, rho):
    """log(P(A) + P(B) - P(A and B)); below 1e-16 the difference is taken in 40 digits."""
    with mp.workdps(60):
        both = mp.exp(exact_pair(*beta, rho))
        one, two = (mp.erfc(-mp.mpf(b) / mp.sqrt(2)) / 2 for b in beta)
        truth = float(mp.log(one + two - both))
    corr = torch.tensor([[1.0, rho], [rho, 1.0]])
    got = log_union(torch.tensor(beta), corr, [(0,), (1,)]).item()
    assert got == pytest.approx(truth, rel=1e-10, abs=1e-11)


def test_union_of_independent_literals_has_a_known_excess():
    """Hunter on three independent events of probability p: 3p - 2p^2, exactly."""
    beta = torch.tensor([-1.0] * 3)
    p = cdf = math.exp(log_cdf(beta[0]).item())
    got = math.exp(log_union(beta, torch.eye(3), [(0,), (1,), (2,)]).item())
    assert got == pytest.approx(3 * p - 2 * p * p, rel=1e-12)
    assert got >= 1 - (1 - cdf) ** 3


def test_union_is_no_more_than_certain():
    """Hunter's sum for three likely events passes 1: 3p - 2p^2 = 1.08 at p = 0.9."""
    beta = torch.full((3,), 1.2816, requires_grad=True)
    out = log_union(beta, torch.eye(3), [(0,), (1,), (2,)])
    assert out.item() == 0.0
    assert torch.autograd.grad(out, beta)[0].tolist() == [0.0] * 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [3, 6])
def test_hunter_is_an_upper_bound(seed, n):
    """Above the union and the likeliest literal, below Boole's sum.

    The union is one less the orthant of the complements, by scipy to 1e-6.
    """
    corr = correlation(n, seed)
    beta = torch.linspace(-1.6, -0.4, n)
    truth = 1.0 - float(
        multivariate_normal.cdf(
            -beta.numpy(), cov=corr.numpy(), abseps=1e-7, releps=1e-7, maxpts=10**6,
            rng=np.random.default_rng(0),
        )
    )  # fmt: skip
    got = math.exp(log_union(beta, corr, [(i,) for i in range(n)]).item())
    assert got >= truth - 1e-5
    assert got <= log_cdf(beta).exp().sum().item() + 1e-12
    assert got >= log_cdf(beta).exp().max().item()


@pytest.mark.parametrize("seed", range(3))
def test_union_of_clauses_against_sampling(seed):
    """Clauses of two: above the truth by Hunter's gap, which is small here.

    400,000 draws: five standard errors, a false alarm of 6e-7 a seed; the bound may be 3% high.
    """
    n = 5
    corr = correlation(n, seed)
    beta = torch.linspace(-1.5, -0.3, n)
    clauses = [(0, 1), (2, 3), (4,)]
    draws = 400_000
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(draws, n, generator=generator) @ torch.linalg.cholesky(corr).T
    holds = (noise + beta) > 0
    hit = torch.stack([holds[:, list(c)].all(1) for c in clauses]).any(0).double().mean().item()
    error = math.sqrt(hit * (1 - hit) / draws)
    got = math.exp(log_union(beta, corr, clauses).item())
    assert hit - 5 * error < got < 1.03 * hit + 5 * error


def test_clauses_of_one_literal_hold_together_as_their_literals_do():
    """The half-space that stands for such a clause is its own: the pair's orthant is exact."""
    beta, corr = torch.tensor([-1.0, 0.5, -2.5, -0.3]), correlation(4, 7)
    found = _likely_together(beta, corr, [torch.tensor([i]) for i in range(4)])
    for i in range(4):
        for j in range(i):
            exact = log_bivariate_cdf(beta[i], beta[j], corr[i, j]).item()
            assert found[i, j].item() == pytest.approx(exact, abs=1e-9) == found[j, i].item()
    assert bool(torch.isneginf(found.diagonal()).all())


def test_union_with_sure_and_impossible_literals():
    inf = math.inf
    corr = correlation(3, 1)
    one = log_cdf(torch.tensor(-1.0)).item()
    singles = [(0,), (1,), (2,)]
    assert log_union(torch.tensor([-1.0, -inf, -inf]), corr, singles).item() == one
    assert log_union(torch.tensor([-inf] * 3), corr, singles).item() == -inf
    assert log_union(torch.tensor([-1.0, inf, -inf]), corr, singles).item() == 0.0
    pairs = [(0, 1), (0, 2)]
    assert log_union(torch.tensor([-1.0, -inf, inf]), corr, pairs).item() == pytest.approx(one)
    assert log_union(torch.tensor([-inf, 1.0, 1.0]), corr, pairs).item() == -inf


@pytest.mark.parametrize(
    "clauses", [[(0,), (1,), (2,), (3,)], [(0, 1), (2, 3)], [(0, 1, 2), (3,)], [(0, 1), (0, 1)]]
)
def test_union_gradcheck(clauses):
    corr = correlation(4, 3)
    beta = torch.tensor([-2.0, -1.2, -1.7, -2.6], requires_grad=True)
    moved = torch.zeros(4, 4, requires_grad=True)

    def value(beta, moved):
        off = torch.triu(moved, 1)
        return log_union(beta, corr + off + off.T, clauses)

    assert torch.autograd.gradcheck(value, (beta, moved))


@pytest.mark.parametrize("seed", range(3))
def test_union_does_not_depend_on_the_order(seed):
    n = 6
    corr = correlation(n, seed)
    beta = torch.linspace(-4.0, -2.0, n)
    perm = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    singles = [(i,) for i in range(n)]
    a = log_union(beta, corr, singles).item()
    b = log_union(beta[perm], corr[perm][:, perm], singles).item()
    assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("side", [0, 1])
def test_beside_a_literal_that_always_holds_the_gradient_is_that_of_the_other_alone(side):
    ends = [torch.tensor(-2.0, requires_grad=True), torch.tensor(math.inf, requires_grad=True)]
    ends = ends[::-1] if side else ends
    rho = torch.tensor(0.3, requires_grad=True)
    found = torch.autograd.grad(log_bivariate_cdf(*ends, rho), (*ends, rho))
    alone = hazard(torch.tensor(-2.0)).item()
    assert [g.item() for g in found] == pytest.approx([0.0, alone, 0.0] if side else [alone, 0, 0])


@pytest.mark.parametrize("clauses", [[(0,), (1, 2)], [(1, 2), (0, 3)]])
def test_a_union_with_a_clause_that_always_holds_is_certain(clauses):
    beta = torch.tensor([math.inf, 0.0, 0.1, math.inf], requires_grad=True)
    log_p = log_union(beta, torch.eye(4), clauses)
    assert log_p.item() == 0.0
    assert torch.autograd.grad(log_p, beta)[0].isfinite().all()
