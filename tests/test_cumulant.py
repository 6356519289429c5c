"""K = 3: the factored form against explicit tensors, and both against what is sampled."""

import math
from itertools import permutations, product

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.math.activations import activation
from workbench.models import Network, Sum, chain, dense, mlp
from workbench.propagation import Augmented, Covariance, Cumulant, marginals
from workbench.propagation.third import slices

ORDER = 6


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Tensors:
    """The slow obvious version: every cumulant by itself, in a full tensor, for ReLU chains.

    Expectations over one Gaussian neuron are numerical integrals. `forget`: an activation passes
    no third cumulant of three different neurons on.
    """

    def __init__(self, mean, cov, forget=False):
        n, self.forget = len(mean), forget
        self.mean, self.cov = mean.numpy(), cov.numpy()
        self.third, self.pairs = np.zeros((n, n, n)), np.zeros((n, n))

    def linear(self, w, b):
        w, n = w.numpy(), len(w)
        self.mean, self.cov = w @ self.mean + b.numpy(), w @ self.cov @ w.T
        self.third = np.einsum("ai,bj,ck,ijk->abc", w, w, w, self.third)
        pairs = np.zeros((n, n))
        for a, b in product(range(n), repeat=2):
            for i, j in product(range(w.shape[1]), repeat=2):
                # On the diagonal all three ways of i, i, j, j over four places are known.
                times = 3 if a == b and i != j else 1
                pairs[a, b] += times * w[a, i] ** 2 * w[b, j] ** 2 * self.pairs[i, j]
        self.pairs = pairs

    def relu(self):
        n, sd = len(self.mean), np.sqrt(np.diag(self.cov))
        z, weight = integration_rule(-self.mean / sd)
        x = np.maximum(self.mean[:, None] + sd[:, None] * z, 0.0)
        he = [np.ones_like(z), z]
        for k in range(1, 12):
            he.append(z * he[k] - k * he[k - 1])

        def e(values, k):
            """E d^k values, each `(n,)`."""
            return (values * he[k] * weight).sum(1) / sd**k

        k3, k4 = np.einsum("iii->i", self.third), np.diag(self.pairs)

        def dressed(values, k=0):
            """The same as skewness and kurtosis change it."""
            return e(values, k) + k3 / 6 * e(values, k + 3) + k4 / 24 * e(values, k + 4)

        mean = dressed(x)
        g = x - mean[:, None]
        w1, w2 = e(x, 1), e(x, 2)
        s1, s2 = dressed(g**2, 1), dressed(g**2, 2)
        var = dressed(g**2)
        cov, pairs = np.diag(var), np.diag(dressed(g**4) - 3 * var**2)
        third = np.zeros((n, n, n))
        for i in range(n):
            third[i, i, i] = dressed(g**3)[i]
        for i, j in permutations(range(n), 2):
            c, t, u, q = self.cov[i, j], self.third[i, i, j], self.third[i, j, j], self.pairs[i, j]
            cov[i, j] = sum(
                c**k / math.factorial(k) * e(x, k)[i] * e(x, k)[j] for k in range(1, ORDER + 1)
            ) + t / 2 * w2[i] * w1[j] + u / 2 * w1[i] * w2[j] + q / 4 * w2[i] * w2[j]  # fmt: skip
            iij = c * s1[i] * w1[j] + c**2 / 2 * s2[i] * w2[j] + t / 2 * s2[i] * w1[j]
            iij += u / 2 * s1[i] * w2[j] + q / 4 * s2[i] * w2[j]
            third[i, i, j] = third[i, j, i] = third[j, i, i] = iij
            pairs[i, j] = c * s1[i] * s1[j] + c**2 / 2 * s2[i] * s2[j] + q / 4 * s2[i] * s2[j]
            pairs[i, j] += t / 2 * s2[i] * s1[j] + u / 2 * s1[i] * s2[j]
        for i, j in permutations(range(n), 2):
            pairs[i, j] -= 2 * cov[i, j] ** 2
        for i, j, k in permutations(range(n), 3):
            c = self.cov
            third[i, j, k] = w1[i] * w1[j] * w1[k] * self.third[i, j, k] * (not self.forget)
            third[i, j, k] += w2[i] * w1[j] * w1[k] * c[i, j] * c[i, k]
            third[i, j, k] += w1[i] * w2[j] * w1[k] * c[i, j] * c[j, k]
            third[i, j, k] += w1[i] * w1[j] * w2[k] * c[i, k] * c[j, k]
        self.mean, self.cov, self.third, self.pairs = mean, cov, third, pairs


def integration_rule(kinks):
    """Nodes and weights `(n, nodes)` for E f(Z), panels that meet at each kink."""
    x, w = np.polynomial.legendre.leggauss(40)
    rows = []
    for kink in kinks:
        edges = np.unique(np.append(np.linspace(-12, 12, 13), np.clip(kink, -12, 12)))
        half = 0.5 * np.diff(edges)[:, None]
        z = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
        rows.append((z, np.exp(-0.5 * z * z) * (half * w).ravel() / math.sqrt(2 * math.pi)))
    # Kinks may fall on an edge: pad with weight 0.
    most = max(len(z) for z, _ in rows)
    return tuple(np.stack([np.pad(r[i], (0, most - len(r[i]))) for r in rows]) for i in (0, 1))


def margins(model, piece, propagator):
    k = model(torch.zeros(1, piece.mean.shape[-1])).shape[1]
    with torch.no_grad():
        return propagator.law(read(model), piece, torch.eye(k), torch.zeros(k))[0]


@pytest.mark.parametrize("propagator", [Cumulant(ORDER), Augmented(ORDER)], ids=lambda p: p.name)
def test_factored_equals_explicit_tensors(propagator, monkeypatch):
    """Three activation layers, three generations of factors: to rounding. Nothing is cut."""
    monkeypatch.setattr(marginals, "MOST", (math.inf, math.inf))
    model = mlp([3, 4, 3, 4, 3], torch.Generator().manual_seed(1), bias_std=0.5)
    mean, root = 0.5 * rand(2, 3), rand(3, 3, 3)
    cov = root @ root.T / 3
    slow = Tensors(mean, cov, forget=isinstance(propagator, Augmented))
    with torch.no_grad():
        law = margins(model, Piece(torch.zeros(()), mean, cov), propagator)
        for part in model.parts:
            slow.relu() if isinstance(part, nn.ReLU) else slow.linear(part.weight, part.bias)
    close = {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(law.mean, torch.from_numpy(slow.mean), **close)
    torch.testing.assert_close(law.cov, torch.from_numpy(slow.cov), **close)
    third = torch.from_numpy(np.einsum("iii->i", slow.third).copy())
    torch.testing.assert_close(law.third, third, **close)
    torch.testing.assert_close(law.fourth, torch.from_numpy(np.diag(slow.pairs).copy()), **close)


def test_augmented_with_a_memory_of_all_layers_is_cumulant():
    model = mlp([3, 5, 5, 5, 3], torch.Generator().manual_seed(1), bias_std=0.5)
    piece = Piece(torch.zeros(()), rand(2, 3), torch.ones(3))
    found = [
        margins(model, piece, p) for p in (Augmented(memory=2), Augmented(memory=3), Cumulant())
    ]
    two, three, whole = ((x.mean, x.cov, x.third, x.fourth) for x in found)
    torch.testing.assert_close(three, whole)
    assert not torch.allclose(two[2], whole[2])


def test_around_a_residual_sum_nothing_is_forgotten():
    """f(x) + x behind another activation: `augmented` equals `cumulant`."""
    a, b, c = rand(0, 4, 3), rand(1, 4, 4), rand(3, 2, 4)
    parts = [dense(a), nn.ReLU(), dense(b), nn.ReLU(), Sum(), dense(c)]
    model = Network(parts, [[0], [1], [2], [3], [4, 3], [5]])
    piece = Piece(torch.zeros(()), rand(2, 3), torch.ones(3))
    one, two = (margins(model, piece, p) for p in (Augmented(), Cumulant()))
    torch.testing.assert_close((one.mean, one.third), (two.mean, two.third))


def test_a_diagonal_factor_says_what_its_matrix_says():
    from workbench.propagation.blocks import Block
    from workbench.propagation.third import Factors

    signs, u, d, e = rand(0, 4), rand(1, 4, 4), rand(2, 4, 4), rand(3, 4)
    one, other = Factors(u, d, Block(e, True)), Factors(u, d, Block(torch.diag(e)))
    torch.testing.assert_close(one.cubes(signs), other.cubes(signs))
    factor = rand(4, 4)
    one, other = one.scaled(factor), other.scaled(factor)
    torch.testing.assert_close(one.cubes(signs), other.cubes(signs))
    whole = torch.einsum("r,ra,ra,ra->a", signs, other.u, other.u, other.e.values)
    whole = whole + torch.einsum("ra,ra,ra->a", other.d, other.e.values, other.e.values)
    torch.testing.assert_close(one.cubes(signs), whole)


def test_slices_are_those_of_the_whole_tensor():
    from workbench.propagation.blocks import Block
    from workbench.propagation.third import Factors

    n, m, r = 3, 2, 4
    signs = rand(0, r)
    x = Factors(rand(1, r, n), rand(2, r, n), Block(rand(3, r, n)))
    y = Factors(rand(4, r, m), rand(5, r, m), Block(rand(6, r, m)))
    u, d, e = (torch.cat(p, 1) for p in ((x.u, y.u), (x.d, y.d), (x.e.values, y.e.values)))
    whole = torch.zeros(n + m, n + m, n + m)
    for order in permutations("ijk"):
        places = ",".join("r" + p for p in order)
        whole += torch.einsum(f"r,{places}->ijk", signs, u, u, e) / 6
        whole += torch.einsum(f"{places}->ijk", d, e, e) / 6
    got = slices([(signs, x, y)])
    torch.testing.assert_close(got, torch.einsum("iij->ij", whole)[:n, n:])
    torch.testing.assert_close(x.cubes(signs), torch.einsum("iii->i", whole)[:n])


@pytest.mark.parametrize(
    "activation", ["relu", "gelu", "tanh", "sign", "leaky_relu", "elu", "softsign", "silu"]
)
def test_one_neuron_s_cumulants_are_exact(activation):
    """No correlations, no approximation: the first four cumulants of f(X), X Gaussian."""
    f = mlp([1, 1, 1], torch.Generator(), activation).parts[1]
    mean, var = torch.tensor([0.4]), torch.tensor([0.7])
    law = margins(chain([f]), Piece(torch.zeros(()), mean, var), Cumulant())
    z, w = integration_rule(-mean.numpy() / math.sqrt(0.7))
    x = f(torch.from_numpy(0.4 + math.sqrt(0.7) * z)).numpy()
    mu = float((x * w).sum())
    two, three, four = (float(((x - mu) ** p * w).sum()) for p in (2, 3, 4))
    assert float(law.mean) == pytest.approx(mu, rel=1e-9)
    assert float(law.cov) == pytest.approx(two, rel=1e-9)
    assert float(law.third) == pytest.approx(three, rel=1e-8)
    assert float(law.fourth) == pytest.approx(four - 3 * two**2, rel=1e-7)


@pytest.mark.parametrize("skip", [False, True])
def test_what_is_dropped_vanishes_with_the_correlations(skip):
    """Third cumulants of sums of two correlated neurons: the error is of order rho^3.

    Around a skip x itself is as near to f(x) as can be, which leaves an order of rho^2.
    """
    a = torch.tensor([[1.0, 0.5], [0.7, -1.0], [1.0, 1.0]])
    parts = [nn.ReLU(), Sum(), dense(a)] if skip else [nn.ReLU(), dense(a)]
    model = Network(parts, [[0], [1, 0], [2]] if skip else [[0], [1]])
    errors = []
    for rho in (0.2, 0.1):
        mean, cov = torch.tensor([0.3, -0.2]), torch.tensor([[1.0, rho], [rho, 1.0]])
        law = margins(model, Piece(torch.zeros(()), mean, cov), Cumulant())
        z0, w0 = integration_rule(-mean.numpy())
        moments = [np.zeros(3) for _ in range(3)]
        for z, w in zip(z0[0], w0[0], strict=True):
            s = math.sqrt(1 - rho**2)
            z1, w1 = integration_rule(np.array([-(-0.2 + rho * z) / s]))
            x = np.stack([np.full_like(z1[0], 0.3 + z), -0.2 + rho * z + s * z1[0]], 1)
            y = (np.maximum(x, 0) + (x if skip else 0)) @ a.numpy().T
            for p in (1, 2, 3):
                moments[p - 1] += w * (w1[0] @ y**p)
        one, two, three = moments
        errors.append(np.abs(law.third.numpy() - (three - 3 * one * two + 2 * one**3)).max())
    assert errors[0] < 0.02
    assert errors[1] < errors[0] / (3.0 if skip else 6.0)


def test_residual_linear_parts_are_exact():
    """x + A x: no third cumulants, whatever the path."""
    a = rand(0, 3, 3)
    model = Network([dense(a), Sum()], [[0], [1, 0]])
    law = margins(model, Piece(torch.zeros(()), rand(1, 3), torch.eye(3)), Cumulant())
    assert law.third is None and law.fourth is None


def test_a_shared_value_reaches_the_sum_with_its_third_cumulants():
    """f(x) + f(x), by one value used twice and by a factor 2."""
    model = mlp([3, 4, 3], torch.Generator().manual_seed(0), bias_std=0.3)
    twice = Network([*model.parts, Sum()], [[0], [1], [2], [3, 3]])
    doubled = chain([*model.parts, dense(2.0 * torch.eye(3))])
    piece = Piece(torch.zeros(()), rand(1, 3), torch.ones(3))
    with torch.no_grad():
        one, two = (margins(m, piece, Cumulant()) for m in (twice, doubled))
    torch.testing.assert_close(one.mean, two.mean)
    torch.testing.assert_close(one.cov, two.cov)
    torch.testing.assert_close(one.third, two.third)


@pytest.mark.parametrize("f", [nn.GELU(), nn.ReLU(), nn.Tanh()], ids=lambda f: type(f).__name__)
@torch.no_grad()
def test_a_skewed_value_beside_its_own_activation_varies_with_it(f):
    """v + f(v), v = relu(x + 0.8) - 0.3, against sums over x; covariances are 6 to 11% off."""
    one, at = torch.ones(1, 1), torch.full((1,), 0.8)
    parts = [dense(one, at), nn.ReLU(), dense(one, -0.375 * at), f, Sum()]
    model = Network(parts, [[0], [1], [2], [3], [4, 3]])
    piece = Piece(torch.zeros(()), torch.zeros(1), one)
    law, _ = Cumulant().law(read(model), piece, one, torch.zeros(1))
    z = torch.linspace(-10.0, 10.0, 20_001)
    w = torch.softmax(-0.5 * z * z, 0)
    y = model(z[:, None])[:, 0]
    mean = w @ y
    assert float(law.mean) == pytest.approx(float(mean), rel=0.011)
    assert float(law.cov) == pytest.approx(float(w @ (y - mean) ** 2), rel=0.03)
    assert float(law.third) == pytest.approx(float(w @ (y - mean) ** 3), rel=0.06)


def test_many_times_as_accurate_as_covariance():
    """Means and third cumulants of a random net, 64 wide with 3 layers, against 2^18 draws.

    Of the mean's error 1 / 2^18 of the variance is sampling noise; a skewness has 0.005 of it.
    """
    model = mlp([64, 64, 64, 64, 64], torch.Generator().manual_seed(3))
    piece = Piece(torch.zeros(()), torch.zeros(64), torch.ones(64))
    with torch.no_grad():
        y = torch.cat([model(rand(s, 1 << 15, 64)) for s in range(8)])
        truth, var = y.mean(0), y.var(0)
        skew = ((y - truth) ** 3).mean(0) / var**1.5
        errors = []
        for propagator in (Covariance(), Augmented(), Cumulant()):
            law = margins(model, piece, propagator)
            errors.append(float((law.mean - truth).square().mean() / var.mean()) - 1.0 / len(y))
        assert errors[2] < errors[1] < 0.4 * errors[0], errors
        assert errors[2] < 0.2 * errors[0], errors
        # Four layers of 64 are narrow: a skewness of 0.29 is known to 0.06.
        gap = (law.third / law.std**3 - skew).square().mean().sqrt()
        assert float(gap) < 0.25 * float(skew.square().mean().sqrt())


@pytest.mark.parametrize("propagator", [Cumulant(4), Augmented(4)], ids=lambda p: p.name)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_gradients_of_all_cumulants(activation, propagator):
    model = mlp([3, 4, 4, 2], torch.Generator().manual_seed(0), activation, bias_std=0.4)
    graph = read(model)

    def value(mean, scale):
        piece = Piece(torch.zeros(()), mean, scale.square())
        law, _ = propagator.law(graph, piece, torch.eye(2), torch.zeros(2))
        return law.mean, law.cov, law.third, law.fourth

    scale = torch.tensor([0.9, 0.6, 1.1], requires_grad=True)
    assert torch.autograd.gradcheck(value, (rand(1, 3).requires_grad_(), scale))


@pytest.mark.parametrize("order", [1, 41, 2.5])
def test_orders_out_of_range_are_refused(order):
    for propagator in (Augmented, Cumulant):
        with pytest.raises(wb.BadInput, match="must be 2 to 40"):
            propagator(order)


@pytest.mark.parametrize("memory", [0, 1.5])
def test_memories_out_of_range_are_refused(memory):
    with pytest.raises(wb.BadInput, match="at least one generation"):
        Augmented(memory=memory)


@pytest.mark.parametrize(
    ("third", "fourth", "strained"),
    [(0.9, -1.9, False), (-1.1, 0.0, True), (0.0, 2.1, True), (1.1, 2.1, True)],
)
def test_a_neuron_is_strained_beyond_what_a_series_holds(third, fourth, strained):
    """Skewness beyond 1 or kurtosis beyond 2, of one neuron of two; sd 2."""
    sd = torch.tensor([2.0, 2.0])
    third, fourth = torch.tensor([0.0, 8.0 * third]), torch.tensor([0.0, 16.0 * fourth])
    found = marginals.Marginals.of(activation("relu"), torch.zeros(2), sd, sd > 0, third, fourth, 4)
    assert found.strained is strained
