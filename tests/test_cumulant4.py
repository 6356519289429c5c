"""K = 4: diagrams against exact moments, whole tensors against quadrature and many draws."""

import math
from itertools import combinations_with_replacement, permutations, product

import numpy as np
import pytest
import torch
from test_cumulant import integration_rule, margins, rand
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.math.activations import activation
from workbench.models import Network, Sum, chain, dense, mlp
from workbench.propagation import Cumulant, Cumulant4
from workbench.propagation.diagrams import cost, diagrams
from workbench.propagation.patterns import slice_of, symmetric
from workbench.propagation.wick import Expansion


def symmetric_tensor(seed, n, d, scale):
    x = scale * rand(seed, *[n] * d)
    return sum(x.permute(*p) for p in permutations(range(d))) / math.factorial(d)


def cumulants(n, seed=0):
    root = rand(seed, n, 2 * n)
    cov = root @ root.T / (2 * n)
    return {2: cov, 3: symmetric_tensor(1, n, 3, 0.1), 4: symmetric_tensor(2, n, 4, 0.1)}


def moment(mean, kappa, index):
    """E prod x_i over the index, from all set partitions of its places: kappa_5 .. are 0."""
    if not index:
        return 1.0
    first, *rest = range(len(index))
    found = 0.0
    for choice in product((False, True), repeat=len(rest)):
        block = [index[first], *(index[r] for r, c in zip(rest, choice, strict=True) if c)]
        left = [index[r] for r, c in zip(rest, choice, strict=True) if not c]
        if len(block) == 1:
            value = mean[block[0]]
        elif len(block) <= 4:
            value = kappa[len(block)][tuple(block)]
        else:
            continue
        found = found + value * moment(mean, kappa, left)
    return found


def test_the_costs_are_those_of_the_paper():
    costs = {(1, 1): 1, (2, 1): 2, (1, 1, 1): 2, (2, 2): 2, (4,): 2, (3, 1): 3, (2, 1, 1): 3}
    assert {v: cost(v) for v in costs} == costs


def test_the_trees_of_four_neurons_are_counted():
    """16 trees of covariances, 12 of a third cumulant and an edge, one fourth cumulant."""
    found = {d.blocks: d.factor for d in diagrams((1, 1, 1, 1), 3, 4)}
    sizes = {}
    for blocks, factor in found.items():
        kind = tuple(sorted(sum(v) for v in blocks))
        sizes[kind] = sizes.get(kind, 0.0) + factor
    assert sizes == {(2, 2, 2): 16.0, (2, 3): 12.0, (4,): 1.0}


def test_a_symmetric_tensor_is_put_together_from_its_patterns():
    """Whatever a part has where its indices coincide: there it is of another pattern."""
    for d, patterns in (
        (3, ((3,), (2, 1), (1, 1, 1))),
        (4, ((4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1))),
    ):
        whole = symmetric_tensor(0, 4, d, 1.0)
        parts = {p: slice_of(whole, p).clone() for p in patterns}
        for part in parts.values():
            places = torch.cartesian_prod(*[torch.arange(4)] * part.ndim).reshape(-1, part.ndim)
            for place in places.tolist():
                if len(set(place)) < part.ndim:
                    part[tuple(place)] = math.nan
        torch.testing.assert_close(symmetric(parts), whole)


def test_what_is_left_alone_keeps_all_its_cumulants():
    """x -> x through the expansion, beside a fifth neuron: to rounding, whatever the cumulants."""
    n, kappa = 4, cumulants(5)
    sd = kappa[2].diagonal().sqrt()
    e = Expansion.of(activation("relu"), rand(5, n + 1), sd, sd > 0, kappa, n, 8)
    assert e.strained == ""
    cov = e.covariance()
    torch.testing.assert_close(cov[:n, :n], kappa[2][:n, :n])
    three = e.joint((2, 1, 1)) - 2.0 * cov[:, :, None] * cov[:, None, :]
    two = e.joint((2, 2)) - 2.0 * cov.square()
    one = e.joint((3, 1)) - 3.0 * cov.diagonal()[:, None] * cov
    third, pair, four = (e.joint(p) for p in ((1, 1, 1), (2, 1), (1, 1, 1, 1)))
    close = {"abs": 1e-12}
    for i, j, k, m in permutations(range(n)):
        assert float(three[i, j, k]) == pytest.approx(float(kappa[4][i, i, j, k]), **close)
        assert float(two[i, j]) == pytest.approx(float(kappa[4][i, i, j, j]), **close)
        assert float(one[i, j]) == pytest.approx(float(kappa[4][i, i, i, j]), **close)
        assert float(four[i, j, k, m]) == pytest.approx(float(kappa[4][i, j, k, m]), **close)
        assert float(third[i, j, k]) == pytest.approx(float(kappa[3][i, j, k]), **close)
        assert float(pair[i, j]) == pytest.approx(float(kappa[3][i, i, j]), **close)


def test_squares_of_neurons_that_are_not_gaussian_are_exact():
    """Means, variances and covariances of x_i^2, from moments by all set partitions."""
    n, mean, kappa = 3, rand(5, 3), cumulants(3)
    sd = kappa[2].diagonal().sqrt()
    e = Expansion.of(activation("square"), mean, sd, sd > 0, kappa, 0, 8)
    cov = e.covariance()
    for i, j in combinations_with_replacement(range(n), 2):
        one = moment(mean, kappa, [i, i]), moment(mean, kappa, [j, j])
        assert float(e.mean[i]) == pytest.approx(float(one[0]), rel=1e-12)
        truth = moment(mean, kappa, [i, i, j, j]) - one[0] * one[1]
        assert float(cov[i, j]) == pytest.approx(float(truth), rel=1e-10)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "sign"])
def test_one_neuron_s_cumulants_are_exact(name):
    f = mlp([1, 1, 1], torch.Generator(), name).parts[1]
    piece = Piece(torch.zeros(()), torch.tensor([0.4]), torch.tensor([0.7]))
    one, two = (margins(chain([f]), piece, p) for p in (Cumulant4(), Cumulant()))
    for x in ("mean", "cov", "third", "fourth"):
        torch.testing.assert_close(getattr(one, x), getattr(two, x), rtol=1e-9, atol=1e-11)


def by_quadrature(f, rho, mean):
    """The first four cumulants of f(x), f of several outputs, x in the plane with kinks at 0."""
    moments = [0.0] * 4
    z0, w0 = integration_rule(-mean[:1])
    for z, w in zip(z0[0], w0[0], strict=True):
        s = math.sqrt(1 - rho**2)
        z1, w1 = integration_rule(np.array([-(mean[1] + rho * z) / s]))
        x = np.stack([np.full_like(z1[0], mean[0] + z), mean[1] + rho * z + s * z1[0]], 1)
        moments = [m + w * (w1[0] @ f(x) ** p) for p, m in enumerate(moments, 1)]
    one, two, three, four = moments
    var = two - one**2
    third = three - 3 * one * two + 2 * one**3
    fourth = four - 4 * one * three + 6 * one**2 * two - 3 * one**4 - 3 * var**2
    return one, var, third, fourth


def test_what_is_dropped_of_two_neurons_is_of_fourth_order_in_their_correlation():
    """Third and fourth cumulants of sums of two ReLUs, a residual sum of one of them too."""
    a = torch.tensor([[1.0, 0.5], [0.7, -1.0], [1.0, 1.0]])
    mean = np.array([0.3, -0.2])
    errors = []
    for rho in (0.2, 0.1):
        truth = by_quadrature(lambda x: np.maximum(x, 0) @ a.numpy().T, rho, mean)
        cov = torch.tensor([[1.0, rho], [rho, 1.0]])
        piece = Piece(torch.zeros(()), torch.from_numpy(mean), cov)
        law = margins(chain([nn.ReLU(), dense(a)]), piece, Cumulant4())
        np.testing.assert_allclose(law.mean.numpy(), truth[0], atol=1e-12)
        np.testing.assert_allclose(law.cov.diagonal().numpy(), truth[1], atol=rho**9)
        errors.append(
            [
                np.abs(law.third.numpy() - truth[2]).max(),
                np.abs(law.fourth.numpy() - truth[3]).max(),
            ]
        )
    for far, near in zip(*errors, strict=True):
        assert 0.0 < near < far / 12.0
        assert far < 0.01


def test_a_residual_sum_keeps_the_joint_cumulants_of_its_branches():
    """f(x) + x in one dimension: all cumulants of 2x and 0, by an integral."""
    model = Network([nn.ReLU(), Sum()], [[0], [1, 0]])
    piece = Piece(torch.zeros(()), torch.tensor([0.4]), torch.tensor([1.0]))
    law = margins(model, piece, Cumulant4())
    z, w = integration_rule(np.array([-0.4]))
    x = np.maximum(0.4 + z, 0) + 0.4 + z
    mu = float((x * w).sum())
    two, three, four = (float(((x - mu) ** p * w).sum()) for p in (2, 3, 4))
    assert float(law.mean) == pytest.approx(mu, rel=1e-9)
    assert float(law.cov) == pytest.approx(two, rel=1e-9)
    assert float(law.third) == pytest.approx(three, rel=1e-8)
    assert float(law.fourth) == pytest.approx(four - 3 * two**2, rel=1e-7)


def test_several_times_as_accurate_as_third_cumulants():
    """Means of four random networks 24 wide with 3 layers, each against 2^17 draws."""
    errors = {"cumulant": 0.0, "cumulant4": 0.0}
    for seed in range(4):
        model = mlp([24] * 5, torch.Generator().manual_seed(seed))
        piece = Piece(torch.zeros(()), torch.zeros(24), torch.ones(24))
        with torch.no_grad():
            y = torch.cat([model(rand(100 * seed + s, 1 << 15, 24)) for s in range(4)])
            for propagator in (Cumulant(), Cumulant4()):
                gap = margins(model, piece, propagator).mean - y.mean(0)
                errors[propagator.name] += float(gap.square().mean() / y.var(0).mean())
    noise = 4 / len(y)
    assert errors["cumulant4"] - noise < 0.5 * (errors["cumulant"] - noise), errors


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_gradients_of_all_cumulants(name):
    model = mlp([3, 3, 3, 2], torch.Generator().manual_seed(0), name, bias_std=0.4)
    graph = read(model)

    def value(mean, scale):
        piece = Piece(torch.zeros(()), mean, scale.square())
        law, _ = Cumulant4(4).law(graph, piece, torch.eye(2), torch.zeros(2))
        return law.mean, law.cov, law.third, law.fourth

    scale = torch.tensor([0.5, 0.4, 0.6], requires_grad=True)
    assert torch.autograd.gradcheck(value, (rand(1, 3).requires_grad_(), scale))


def test_wide_layers_and_settings_out_of_range_are_refused():
    model = mlp([2, 33, 1], torch.Generator().manual_seed(0))
    piece = Piece(torch.zeros(()), torch.zeros(2), torch.ones(2))
    with pytest.raises(wb.Unsupported, match="forms at most 32; use 'cumulant'"):
        margins(model, piece, Cumulant4())
    with pytest.raises(wb.BadInput, match="must be 4 to 40"):
        Cumulant4(3)
    with pytest.raises(wb.BadInput, match="must be 1 to 128"):
        Cumulant4(most=0)
