"""Every activation row against numerical integration, gradients included."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.special import eval_hermitenorm, expit

from workbench.errors import BadInput, Unsupported
from workbench.math.activations import ACTIVATIONS, activation, hermite_normalised, owen_t
from workbench.math.activations.analytic import Analytic

ORDER = 8
CASES = [
    (0.0, 1.0), (0.3, 0.7), (-1.2, 0.5), (2.0, 1.5), (-4.0, 1.0), (5.0, 0.8), (0.1, 3.0),
    (-0.02, 0.01), (1.0, 1e-3), (-3.0, 6.0),
]  # fmt: skip
FUNCTIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "gelu": lambda x: 0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))),
    "tanh": np.tanh,
    "heaviside": lambda x: np.heaviside(x, 0.0),
    "sign": np.sign,
    "sigmoid": expit,
    "silu": lambda x: x * expit(x),
    "leaky_relu": lambda x: np.maximum(x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0.0))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0.0)))
    ),
    "celu": lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0.0) / 0.5)),
    "softplus": lambda x: np.logaddexp(0.0, 2.0 * x) / 2.0,
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "tanh_gelu": lambda x: (
        0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "hardtanh": lambda x: np.clip(x, -0.5, 2.0),
    "hardswish": lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0,
    "hardsigmoid": lambda x: np.clip(x + 3.0, 0.0, 6.0) / 6.0,
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.3, 0.0),
    "tanhshrink": lambda x: x - np.tanh(x),
    "logsigmoid": lambda x: -np.logaddexp(0.0, -x),
    "abs": np.abs,
    "square": np.square,
    "clamp_min": lambda x: np.maximum(x, -0.5),
    "clamp_max": lambda x: np.minimum(x, 2.0),
    "pow": lambda x: x**3,
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
}
SETTINGS = {
    "leaky_relu": {"negative_slope": 0.2}, "elu": {"alpha": 1.5}, "celu": {"alpha": 0.5},
    "softplus": {"beta": 2.0, "threshold": 40.0}, "hardtanh": {"min_val": -0.5, "max_val": 2.0},
    "softshrink": {"lambd": 0.3}, "clamp_min": {"min": -0.5}, "clamp_max": {"max": 2.0},
}  # fmt: skip
CORNERS = 0.0, -3.0, 3.0, -0.5, 2.0, -0.3, 0.3
ROWS = [activation(name, **SETTINGS.get(name, {})) for name in ACTIVATIONS]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def beyond(row, sigma):
    """Whether the panels miss where exp of so wide a Gaussian has its mass: it has own tests."""
    return row.name == "exp" and sigma > 0.9


def wide(row, sigma):
    """Whether the trapezoidal rule of such a row has fewer digits at this sigma."""
    return isinstance(row, Analytic) and sigma > 2


@functools.cache
def panels(mu, sigma):
    """Nodes and weights for Z ~ N(0, 1), on panels that meet at the corners of all rows."""
    corners = np.clip((np.array(CORNERS) - mu) / sigma, -12.0, 12.0)
    edges = np.unique(np.concatenate([np.linspace(-12.0, 12.0, 25), corners]))
    x, w = np.polynomial.legendre.leggauss(30)
    half = 0.5 * np.diff(edges)[:, None]
    z = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * x
    return z.ravel(), (np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * half * w).ravel()


@functools.cache
def hermite_weights(mu, sigma):
    """He_k(Z) / sqrt(k!) times the weights, `(ORDER + 1, nodes)`."""
    z, w = panels(mu, sigma)
    rows = [eval_hermitenorm(k, z) / math.sqrt(math.factorial(k)) for k in range(ORDER + 1)]
    return np.stack(rows) * w


def reference(name, mu, sigma):
    """Mean, variance and b_1 .. b_ORDER by quadrature."""
    z, w = panels(mu, sigma)
    f = FUNCTIONS[name](mu + sigma * z)
    mean = f @ w
    # He_k is orthogonal to constants: subtracting the mean saves digits.
    return mean, (f - mean) ** 2 @ w, hermite_weights(mu, sigma)[1:] @ (f - mean)


@each_row
@pytest.mark.parametrize("mu, sigma", CASES)
def test_row_equals_numerical_integration(row, mu, sigma):
    if beyond(row, sigma):
        return
    mean, var, b = reference(row.name, mu, sigma)
    m, s = torch.tensor([mu]), torch.tensor([sigma])
    got_mean, got_var = row.moments(m, s)
    loose = 1e-7 if wide(row, sigma) else 1e-11
    assert got_mean.item() == pytest.approx(mean, rel=loose, abs=loose * sigma)
    # The closed form of gelu's variance is a difference of squares.
    squares = var + mean**2 if row.name == "gelu" else sigma**2
    assert got_var.item() == pytest.approx(var, rel=loose, abs=max(loose, 1e-13) * squares)
    got = row.coefficients(m, s, ORDER)[:, 0].tolist()
    assert got == pytest.approx(b, rel=1e-9, abs=max(loose, 1e-10) * sigma)


@each_row
@pytest.mark.parametrize("mu, sigma", CASES)
@pytest.mark.parametrize("centre", [0.0, 0.7])
def test_powers_equal_numerical_integration(row, mu, sigma, centre):
    if beyond(row, sigma):
        return
    f = FUNCTIONS[row.name]
    got = row.powers(*(torch.tensor([v]) for v in (mu, sigma, centre)), 4, 4)[..., 0]
    loose = 1e-6 if wide(row, sigma) else 1e-10
    z, _ = panels(mu, sigma)
    g = f(mu + sigma * z) - centre
    for p in range(5):
        truth = hermite_weights(mu, sigma)[:5] @ g**p
        size = abs(mu) + abs(sigma) + abs(centre) + 1.0
        size = size ** ({"square": 2, "pow": 3}.get(row.name, 1) * p)
        size = max(size, math.exp(p * mu)) if row.name == "exp" else size
        assert got[p].tolist() == pytest.approx(truth, abs=loose * size), p


@pytest.mark.parametrize(
    "mu, sigma", [(0.3, 0.4), (-1.0, 0.6), (0.0, 1.0), (-4.0, 3.0), (1.0, 6.0)]
)
@pytest.mark.parametrize("centre", [0.0, 0.7])
def test_exp_of_wide_gaussians(mu, sigma, centre):
    """E[exp(j X) He_k(Z)] = exp(j mu + j^2 sigma^2 / 2) E He_k(Z + j sigma), and powers of it."""
    row, (z, w) = activation("exp"), panels(0.0, 1.0)

    def raw(j, k):
        basis = eval_hermitenorm(k, z + j * sigma) @ w / math.sqrt(math.factorial(k))
        return math.exp(j * mu + 0.5 * (j * sigma) ** 2) * basis

    m, s, c = (torch.tensor([v]) for v in (mu, sigma, centre))
    got = row.powers(m, s, c, 4, 4)[..., 0]
    for p, k in itertools.product(range(5), range(5)):
        parts = [math.comb(p, j) * (-centre) ** (p - j) * raw(j, k) for j in range(p + 1)]
        size = 1.0 + sum(abs(x) for x in parts)
        assert got[p, k].item() == pytest.approx(sum(parts), rel=1e-9, abs=1e-10 * size), (p, k)
    mean, var = (x.item() for x in row.moments(m, s))
    assert mean == pytest.approx(raw(1, 0), rel=1e-9)
    assert var == pytest.approx(raw(2, 0) - raw(1, 0) ** 2, rel=1e-9)
    b = [raw(1, k) for k in range(1, ORDER + 1)]
    assert row.coefficients(m, s, ORDER)[:, 0].tolist() == pytest.approx(b, rel=1e-9)


@each_row
def test_one_term_may_be_asked_for(row):
    m, s = torch.tensor([0.3, -1.0]), torch.tensor([0.7, 2.0])
    full = row.coefficients(m, s, ORDER)
    assert full.shape == (ORDER, 2)
    for order in (1, 2, 3):
        torch.testing.assert_close(row.coefficients(m, s, order), full[:order])


@each_row
def test_leading_axes_are_kept(row):
    mu, sigma = torch.tensor([[0.3, -1.0, 2.0], [0.0, 4.0, -2.5]]), torch.tensor([0.7, 2.0, 0.1])
    sigma = sigma.expand(2, 3)
    for f in (
        lambda m, s: torch.stack(row.moments(m, s)),
        lambda m, s: row.coefficients(m, s, 3),
        lambda m, s: row.powers(m, s, 0.5 * m, 2, 3).flatten(0, 1),
    ):
        torch.testing.assert_close(f(mu, sigma).flatten(1), f(mu.flatten(), sigma.flatten()))


@each_row
def test_gradients(row):
    mu = torch.tensor([0.2, -1.3, 2.1, -4.0], requires_grad=True)
    sigma = torch.tensor([0.9, 0.6, 1.4, 1.1], requires_grad=True)
    assert torch.autograd.gradcheck(row.moments, (mu, sigma))
    assert torch.autograd.gradcheck(lambda m, s: row.coefficients(m, s, 6), (mu, sigma))
    centre = torch.tensor([0.1, 0.0, 1.5, -0.3], requires_grad=True)
    assert torch.autograd.gradcheck(lambda *x: row.powers(*x, 4, 4), (mu, sigma, centre))


@each_row
def test_series_sums_to_the_variance(row):
    """Parseval: sum_k b_k^2 = Var f(X), each partial sum below it."""
    mu, sigma = torch.tensor([0.3, -0.5]), torch.tensor([0.7, 1.0])
    _, var = row.moments(mu, sigma)
    partial = row.coefficients(mu, sigma, 40).square().cumsum(0)
    assert bool((partial <= var + 1e-12).all())
    # ReLU's coefficients fall as k^(-5/4): the rest after 40 is below 1% of the variance. Those of
    # a step fall as k^(-3/4), and leave about a tenth.
    assert bool((partial[-1] > (0.85 if row.name in ("sign", "heaviside") else 0.99) * var).all())


@each_row
def test_values_are_torch_s(row):
    x = torch.linspace(-5, 5, 101)
    np.testing.assert_allclose(row(x), FUNCTIONS[row.name](x.numpy()), atol=1e-14)


@each_row
def test_the_derivative_is_that_of_torch_and_monotone_between_turns(row):
    """Away from corners, and on both sides of every turn."""
    if row.name in ("sin", "cos"):  # turn without end
        shift = 0.0 if row.name == "sin" else 0.5
        edges = [(k + shift) * math.pi for k in range(-5, 6)]
    else:
        edges = [-40.0, *row.turns, 40.0]
    for a, b in itertools.pairwise(edges):
        x = torch.linspace(a, b, 4003)[1:-1].requires_grad_()
        y = row(x) + 0.0 * x  # a step has no gradient of its own
        (slope,) = torch.autograd.grad(y.sum(), x)
        got = row.derivative(x.detach())
        torch.testing.assert_close(got, slope, rtol=1e-7, atol=3e-9 + row.rounding)
        rise = got.diff() * (got[-1] - got[0]).sign()
        assert bool((rise >= -1e-12).all()), (a, b)


@each_row
def test_it_rises_and_reaches_as_it_says(row):
    assert 0.0 <= row.rounding < 1e-8
    y = row(torch.linspace(-50.0, 50.0, 20_001))
    assert bool((y.diff() >= -1e-15).all()) == row.rises
    low, high = row.reach
    assert low <= float(y.min()) and float(y.max()) <= high
    for end, got in ((low, y.min()), (high, y.max())):
        assert math.isinf(end) or float(got) == pytest.approx(end, abs=0.02)


@each_row
def test_torch_s_module_has_the_same_settings(row):
    if row.torch_module is not None:
        x = torch.linspace(-5, 5, 101)
        assert bool((row.torch_module(**row.settings())(x) == row(x)).all())


def test_relu_in_its_tail_keeps_relative_digits():
    """alpha = -30: E relu(X) = sigma (phi + alpha Phi) cancels to nothing when taken literally."""
    import mpmath as mp

    mean, var = activation("relu").moments(torch.tensor(-30.0), torch.tensor(1.0))
    with mp.workdps(60):
        a = mp.mpf(-30)
        mass = mp.erfc(-a / mp.sqrt(2)) / 2
        one = mp.npdf(a) + a * mass
        two = (1 + a * a) * mass + a * mp.npdf(a) - one**2
    assert mean.item() == pytest.approx(float(one), rel=1e-10)
    assert var.item() == pytest.approx(float(two), rel=1e-6)


@each_row
@pytest.mark.parametrize("mu, sigma", [(1e4, 1.0), (-1e4, 1.0), (3.0, 1e-60), (0.0, 1e5)])
def test_extreme_arguments_stay_finite(row, mu, sigma):
    m, s = torch.tensor([mu], requires_grad=True), torch.tensor([sigma], requires_grad=True)
    if row.name == "exp" and mu + sigma > 700.0:
        return  # infinite
    mean, var = row.moments(m, s)
    b = row.coefficients(m, s, ORDER)
    assert bool(torch.isfinite(torch.cat([mean, var, b[:, 0]])).all())
    assert var.item() >= 0.0
    for grad in torch.autograd.grad(mean + var + b.sum(), (m, s)):
        assert bool(torch.isfinite(grad).all())


def test_hermite_recurrence_is_the_polynomial():
    x = torch.linspace(-4, 4, 17)
    for k, h in enumerate(hermite_normalised(x, 10)):
        truth = eval_hermitenorm(k, x.numpy()) / math.sqrt(math.factorial(k))
        np.testing.assert_allclose(h, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("h, a", [(0.0, 1.0), (0.7, 0.3), (2.5, 1.0), (-1.0, 0.9), (8.0, 0.5)])
def test_owen_t(h, a):
    from scipy.special import owens_t

    got = owen_t(torch.tensor([h]), torch.tensor([a])).item()
    assert got == pytest.approx(float(owens_t(h, a)), rel=1e-11, abs=1e-25)
    direct = integrate.quad(lambda x: math.exp(-0.5 * h * h * (1 + x * x)) / (1 + x * x), 0, a)
    assert got == pytest.approx(direct[0] / (2 * math.pi), rel=1e-9, abs=1e-20)


def test_unknown_activation_is_named_with_the_known_ones():
    with pytest.raises(Unsupported, match=r"known rows are relu, gelu, tanh, sigmoid, .*sign"):
        activation("swish")


@pytest.mark.parametrize(
    "name, settings, sentence",
    [
        ("leaky_relu", {"slope": 0.1}, "leaky_relu has the settings negative_slope, got slope"),
        ("mish", {"beta": 1.0}, "mish has no settings, got beta"),
        ("celu", {"alpha": 0.0}, "an alpha above 0, got 0.0"),
        ("softplus", {"beta": 1.0, "threshold": 3.0}, "a threshold of 15 or more"),
        ("hardtanh", {"min_val": 1.0, "max_val": 1.0}, "a min_val below its max_val"),
        ("softshrink", {"lambd": -0.5}, "a lambd above 0, got -0.5"),
        ("elu", {"alpha": math.nan}, "a finite alpha, got nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        activation(name, **settings)
