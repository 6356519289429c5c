"""Log-space functions and Gaussian integrals against mpmath, far into the tail."""

import math

import mpmath as mp
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput, NotConverged
from workbench.math import cost
from workbench.math.checks import check_finite, check_text, check_vector, known
from workbench.math.gaussian import cdf, excess, hazard, log_cdf, log_cdf_inverse, log_pdf, pdf
from workbench.math.law import Law
from workbench.math.logspace import (
    effective,
    log1mexp,
    log_product,
    log_sub,
    log_sum,
    to_log10,
)
from workbench.math.order import position
from workbench.math.quadrature import legendre, normal_trapezoid

POINTS = [
    -1e8, -1e6, -1e4, -1000.0, -300.0, -100.0, -40.0, -20.0, -12.001, -12.0, -11.999, -5.0, -1.0,
    -1e-9, 0.0, 1e-9, 0.5, 1.0, 3.0, 8.0, 20.0, 37.0,
]  # fmt: skip


def exact(x):
    """log Phi, hazard phi/Phi and excess x + hazard at x, with digits to spare."""
    with mp.workdps(60 if x < 5 else 400):
        x = mp.mpf(x)
        # The continued fraction of the Mills ratio holds where mpmath's erfc would be slow.
        if x < -50:
            tail = -x
            for k in range(60, 0, -1):
                tail = -x + k / tail
            log_density = -x * x / 2 - mp.log(2 * mp.pi) / 2
            return log_density - mp.log(tail), tail, x + tail
        density = mp.npdf(x)
        mass = mp.erfc(-x / mp.sqrt(2)) / 2
        return mp.log(mass), density / mass, x + density / mass


@pytest.mark.parametrize("x", POINTS)
def test_log_cdf_value_and_two_derivatives(x):
    value, slope, over = (float(v) for v in exact(x))
    with mp.workdps(60):
        curve = float(-exact(x)[1] * exact(x)[2])
    t = torch.tensor(x, requires_grad=True)
    out = log_cdf(t)
    (first,) = torch.autograd.grad(out, t, create_graph=True)
    (second,) = torch.autograd.grad(first, t)
    assert out.item() == pytest.approx(value, rel=1e-13, abs=1e-300)
    # exp(-x^2/2) itself loses x^2/2 rounding errors: 7e-14 at 37.
    assert first.item() == pytest.approx(slope, rel=5e-13, abs=1e-300)
    assert second.item() == pytest.approx(curve, rel=5e-12, abs=1e-300)
    assert hazard(t).item() == pytest.approx(slope, rel=5e-13, abs=1e-300)
    assert excess(t).item() == pytest.approx(over, rel=5e-12, abs=1e-300)


@pytest.mark.parametrize("x", [x for x in POINTS if abs(x) >= 1e-3])
def test_log_cdf_in_single_precision(x):
    """float32 has the known trap: torch.special.log_ndtr is 4% off in its gradient at -1,000."""
    t = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    value, slope, _ = (float(v) for v in exact(t.item()))
    out = log_cdf(t)
    (first,) = torch.autograd.grad(out, t)
    # Below 1e-38 single precision has only subnormal numbers.
    assert out.item() == pytest.approx(value, rel=5e-6, abs=1e-38)
    assert first.item() == pytest.approx(slope, rel=5e-5, abs=1e-38)


@pytest.mark.parametrize("f", [log_cdf, hazard, excess, cdf, pdf, log_pdf])
def test_gaussian_functions_gradcheck(f):
    x = torch.tensor([-30.0, -12.5, -11.5, -3.0, -0.1, 0.2, 2.5], requires_grad=True)
    assert torch.autograd.gradcheck(f, x)


@pytest.mark.parametrize("f", [log_cdf, hazard])
def test_gaussian_functions_gradgradcheck(f):
    x = torch.tensor([-30.0, -12.5, -11.5, -3.0, -0.1, 0.2, 2.5], requires_grad=True)
    assert torch.autograd.gradgradcheck(f, x)


def test_log_cdf_at_infinity():
    x = torch.tensor([-math.inf, math.inf])
    assert log_cdf(x).tolist() == [-math.inf, 0.0]


@pytest.mark.parametrize("x", [-37.0, -20.0, -3.0, 0.0, 4.0])
def test_cdf_keeps_its_digits_in_the_lower_tail(x):
    with mp.workdps(40):
        truth = float(mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2)
    assert cdf(torch.tensor(x)).item() == pytest.approx(truth, rel=5e-13)


@pytest.mark.parametrize("x", [-1e-300, -1e-20, -1e-8, -0.1, -0.6931, -0.6932, -1.0, -50.0, -800.0])
def test_log1mexp(x):
    with mp.workdps(400):
        truth = float(mp.log(-mp.expm1(mp.mpf(x))))
        slope = float(-mp.exp(mp.mpf(x)) / -mp.expm1(mp.mpf(x)))
    t = torch.tensor(x, requires_grad=True)
    out = log1mexp(t)
    assert out.item() == pytest.approx(truth, rel=1e-13, abs=1e-320)
    (grad,) = torch.autograd.grad(out, t)
    assert grad.item() == pytest.approx(slope, rel=1e-12, abs=1e-320)


def test_log1mexp_at_its_ends():
    assert log1mexp(torch.tensor([0.0, -math.inf])).tolist() == [-math.inf, 0.0]


@pytest.mark.parametrize(
    "a, b",
    [(-1.0, -2.0), (-1e5, -1e5 - 1e-3), (-700.0, -800.0), (-1e-30, -5.0), (-3.0, -math.inf)],
)
def test_log_sub(a, b):
    with mp.workdps(60):
        gap = mp.mpf(b) - mp.mpf(a)
        truth = float(mp.mpf(a) + mp.log(-mp.expm1(gap)))
        slope = float(1 / -mp.expm1(gap))
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    out = log_sub(p, q)
    assert out.item() == pytest.approx(truth, rel=1e-13)
    da, db = torch.autograd.grad(out, (p, q))
    assert da.item() == pytest.approx(slope, rel=1e-10)
    assert db.item() == pytest.approx(1.0 - slope, rel=1e-10, abs=1e-30)


@pytest.mark.parametrize("a, b", [(-2.0, -2.0), (-3.0, -2.0), (-math.inf, -math.inf)])
def test_log_sub_of_nothing_has_no_gradient(a, b):
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    out = log_sub(p, q)
    assert out.item() == -math.inf
    assert [g.item() for g in torch.autograd.grad(out, (p, q))] == [0.0, 0.0]


def test_log_sum_gradients_with_dead_terms():
    x = torch.tensor(
        [[-1.0, -math.inf, -2.0], [-math.inf] * 3, [-1e6, -1e6 - 1.0, -math.inf]],
        requires_grad=True,
    )
    out = log_sum(x)
    softmax = 1.0 / (1.0 + math.exp(-1.0))
    assert out.tolist() == pytest.approx(
        [-1.0 - math.log(softmax), -math.inf, -1e6 - math.log(softmax)], rel=1e-14
    )
    (grad,) = torch.autograd.grad(out.sum(), x)
    expected = torch.tensor([[softmax, 0, 1 - softmax], [0, 0, 0], [softmax, 1 - softmax, 0]])
    torch.testing.assert_close(grad, expected, rtol=1e-9, atol=0)


@given(
    st.lists(st.floats(-1e4, 0.0), min_size=1, max_size=6),
    st.lists(st.floats(-1e4, 0.0), min_size=1, max_size=6),
)
def test_log_sum_joins_and_log_sub_parts(a, b):
    """log_sub takes back what log_sum added; a sum is at least its largest term."""
    first, second = log_sum(torch.tensor(a)), log_sum(torch.tensor(b))
    both = log_sum(torch.tensor([*a, *b]))
    assert both.item() >= max(*a, *b) - 1e-9
    if first > second:  # else the difference loses its digits
        assert log_sub(both, second).item() == pytest.approx(first.item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("low", [-3.0, -600.0, -900.0], ids=["near", "far", "beyond"])
def test_log_product_is_the_sum_of_its_terms(low):
    """Also where the great entries of the one meet the small ones of the other, and nothing."""
    nothing = -math.inf
    a = torch.tensor([[0.0, low, nothing], [low, 0.0, low], [nothing] * 3], requires_grad=True)
    b = torch.tensor([[low, nothing], [0.0, low], [nothing, 2.0 * low]], requires_grad=True)
    made, slow = log_product(a, b), log_sum(a[:, :, None] + b, 1)
    torch.testing.assert_close(made, slow, rtol=1e-13, atol=0)
    assert made[2].tolist() == [nothing, nothing]
    pairs = [torch.autograd.grad(out[:2].sum(), (a, b)) for out in (made, slow)]
    for mine, theirs in zip(*pairs, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=0)


def test_log10():
    assert to_log10(torch.tensor(-math.log(1000.0), requires_grad=True)) == pytest.approx(-3.0)
    assert to_log10(-math.inf) == -math.inf


def test_legendre_is_exact_to_degree_2n_minus_1():
    x, w = legendre(7, torch.float64, torch.device("cpu"))
    for k in range(14):
        truth = 2.0 / (k + 1) if k % 2 == 0 else 0.0
        assert float((x**k) @ w) == pytest.approx(truth, abs=1e-14)


def test_normal_trapezoid_integrates_moments():
    z, w = normal_trapezoid(193, torch.float64, torch.device("cpu"))
    for k, truth in ((0, 1.0), (1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)):
        assert float((z**k) @ w) == pytest.approx(truth, abs=1e-11)


def test_law_of_constant_margins():
    """A margin of variance 0 keeps std 0, has no gradient there, and no correlation."""
    cov = torch.tensor([[4.0, 0.0], [0.0, 0.0]], requires_grad=True)
    law = Law(torch.zeros(2), cov)
    assert law.std.tolist() == [2.0, 0.0]
    assert law.corr.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    (grad,) = torch.autograd.grad(law.std.sum(), cov)
    assert grad.tolist() == [[0.25, 0.0], [0.0, 0.0]]


def test_costs():
    assert cost.matmul(2, 3, 4) == 48.0
    assert cost.hermite_series(4, 3) == 144.0
    assert cost.forward_equivalents(1001.0, 100.0) == 11


@pytest.mark.parametrize(
    "value, said",
    [
        ([1.0], "floating-point tensor, got list"),
        (torch.tensor([1, 2]), "floating-point tensor, got torch.int64"),
        (torch.ones(2, 2), r"shape \(2,\), got \(2, 2\)"),
        (torch.ones(3), r"shape \(2,\), got \(3,\)"),
        (torch.tensor([1.0, math.nan]), "finite, got 1 NaN"),
    ],
)
def test_checks_say_what_came(value, said):
    with pytest.raises(BadInput, match=said):
        check_vector("it", value, 2)
    check_finite("it", torch.ones(2, 2))
    check_vector("it", torch.ones(1))
    with pytest.raises(BadInput, match=r"shape \(d,\), got \(0,\)"):
        check_vector("it", torch.ones(0))


@pytest.mark.parametrize("length, temperature", [(2, 1.0), (True, 1.0), (3.0, 1.0), (3, 0.0)])
def test_a_text_has_a_least_length_and_a_temperature(length, temperature):
    check_text(3, 3, 1e-9)
    with pytest.raises(BadInput, match=r"above 2: |above 0, got 0\.0"):
        check_text(length, 3, temperature)


def test_an_unknown_margin_is_an_error_and_a_known_one_passes():
    s = torch.tensor([-math.inf, 0.0, math.inf])
    assert known(s) is s
    with pytest.raises(NotConverged, match="NaN on 1 of 4 states: the model or the spec"):
        known(torch.cat([s, torch.tensor([math.nan])]), "states")


def test_all_quantiles_of_a_batch_are_exact_however_many_steps_each_takes():
    x = torch.tensor([v for v in POINTS if v < 8.0])
    torch.testing.assert_close(log_cdf_inverse(log_cdf(x)), x, rtol=1e-12, atol=1e-9)
    ends = log_cdf_inverse(torch.tensor([-math.inf, 0.0]))
    assert ends.tolist() == [-math.inf, math.inf]


@pytest.mark.parametrize("rare", [1e-10, 1e-20, 1e-40, 1e-300])
def test_quantiles_near_one_are_those_of_the_other_tail(rare):
    """log P = log(1 - rare) rounds to -rare."""
    above = log_cdf_inverse(torch.tensor(-rare))
    assert float(above) == pytest.approx(
        -float(log_cdf_inverse(torch.tensor(rare).log())), rel=1e-9
    )


def test_no_weights_at_all_are_worth_none():
    assert effective(torch.full((3,), -math.inf)) == 0.0
    assert effective(torch.tensor([0.0, -math.inf])) == 1.0


@pytest.mark.parametrize("rank", range(4))
def test_ties_go_to_the_earlier_index(rank):
    x = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 2.0, 1.0], [3.0, 0.0, 1.0, 3.0]])
    expected = [sorted(range(4), key=lambda i: -row[i])[rank] for row in x.tolist()]
    assert position(x, rank).tolist() == expected
