"""Every activation row against numerical integration, gradients included."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.special import eval_hermitenorm

from workbench.errors import Unsupported
from workbench.math.activations import ACTIVATIONS, activation, hermite_normalised, owen_t

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
}
each_row = pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.name)


def expectation(g, mu, sigma):
    """E g(Z), Z ~ N(0, 1), by panels that meet at the kink x = 0."""
    kink = np.clip(-mu / sigma, -12.0, 12.0)
    edges = np.unique(np.concatenate([np.linspace(-12.0, 12.0, 25), [kink]]))
    x, w = np.polynomial.legendre.leggauss(30)
    half = 0.5 * np.diff(edges)[:, None]
    z = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * x
    return float((g(z) * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * half * w).sum())


def reference(name, mu, sigma):
    """Mean, variance and b_1 .. b_ORDER by quadrature."""
    f = FUNCTIONS[name]
    mean = expectation(lambda z: f(mu + sigma * z), mu, sigma)
    var = expectation(lambda z: (f(mu + sigma * z) - mean) ** 2, mu, sigma)
    # He_k is orthogonal to constants: subtracting the mean saves digits.
    b = [
        expectation(lambda z, k=k: (f(mu + sigma * z) - mean) * eval_hermitenorm(k, z), mu, sigma)
        / math.sqrt(math.factorial(k))
        for k in range(1, ORDER + 1)
    ]
    return mean, var, b


@each_row
@pytest.mark.parametrize("mu, sigma", CASES)
def test_row_equals_numerical_integration(row, mu, sigma):
    mean, var, b = reference(row.name, mu, sigma)
    m, s = torch.tensor([mu]), torch.tensor([sigma])
    got_mean, got_var = row.moments(m, s)
    # tanh is integrated by the row itself, on 193 nodes: good to 1e-9 at sigma = 6.
    loose = 1e-7 if row.name == "tanh" and sigma > 2 else 1e-11
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
    f = FUNCTIONS[row.name]
    got = row.powers(*(torch.tensor([v]) for v in (mu, sigma, centre)), 4, 4)[..., 0]
    loose = 1e-6 if row.name == "tanh" and sigma > 2 else 1e-10
    for p in range(5):
        for k in range(5):
            truth = expectation(
                lambda z, p=p, k=k: (f(mu + sigma * z) - centre) ** p * eval_hermitenorm(k, z),
                mu, sigma,
            ) / math.sqrt(math.factorial(k))  # fmt: skip
            size = (abs(mu) + abs(sigma) + abs(centre) + 1.0) ** p
            assert got[p, k].item() == pytest.approx(truth, abs=loose * size), (p, k)


@each_row
def test_one_term_may_be_asked_for(row):
    m, s = torch.tensor([0.3, -1.0]), torch.tensor([0.7, 2.0])
    full = row.coefficients(m, s, ORDER)
    assert full.shape == (ORDER, 2)
    for order in (1, 2, 3):
        torch.testing.assert_close(row.coefficients(m, s, order), full[:order])


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


def test_relu_in_its_tail_keeps_relative_digits():
    """alpha = -30: E relu(X) = sigma (phi + alpha Phi) cancels to nothing when taken literally."""
    import mpmath as mp

    mean, var = ACTIVATIONS["relu"].moments(torch.tensor(-30.0), torch.tensor(1.0))
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
    with pytest.raises(Unsupported, match="known rows are relu, gelu, tanh, heaviside, sign"):
        activation("swish")
