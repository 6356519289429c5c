"""Every kernel's stationary law against exact truth, its reversibility, its count of forwards.

Chains start from exact independent draws of the truncated law and run a few moves: a kernel that
leaves the law invariant leaves them exact and independent, so that the tests are those of plain
independent samples.
"""

import math
from itertools import islice

import pytest
import torch
from scipy.stats import binomtest, kstest, norm

import workbench as wb
from workbench import kernels
from workbench.iteration import equal, pack, steps, unpack
from workbench.kernels.hamiltonian import Hamiltonian, leg, reflect
from workbench.models import chain, dense

FALSE_ALARM = 1e-6
SIGMAS = 4.9
"""A standard normal is beyond 4.9 with a chance of 9.6e-7."""
CHAINS, MOVES = 20_000, 5
each_kernel = pytest.mark.parametrize("cls", kernels.ALL, ids=lambda cls: cls.name)


def planes(*normals, offsets):
    """z ~ N(0, I) in 3 dimensions; margin = max over planes of a . z - t, through a ReLU net."""
    a = torch.tensor(normals)
    gaussian = wb.Gaussian(torch.zeros(3), torch.ones(3))
    # relu(s) - relu(-s) = s: a network with kinks whose margin is known.
    both = torch.cat([a, -a])
    eye = torch.eye(len(a))
    model = chain([dense(both), torch.nn.ReLU(), dense(torch.cat([eye, -eye], dim=1))])
    spec = wb.Halfspace(eye[0], -offsets[0])
    for row, t in zip(eye[1:], offsets[1:], strict=True):
        spec = spec | wb.Halfspace(row, -t)
    return wb.Problem(gaussian, model, spec)


ONE = planes((0.6, 0.0, 0.8), offsets=(3.0,))
TWO = planes((1.0, 0.0, 0.0), (0.0, 0.6, 0.8), offsets=(1.5, 1.2))


def draws(n, seed=0):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def beyond_one_plane(n):
    """Exact draws of z given a . z > 3, by the inverse distribution function along a."""
    a, z = torch.tensor([0.6, 0.0, 0.8]), draws(n)
    u = torch.rand(n, generator=torch.Generator().manual_seed(1))
    along = torch.from_numpy(norm.isf(u.numpy() * norm.sf(3.0)))
    return z + (along - z @ a)[:, None] * a


def beyond_two_planes(n):
    """Exact draws of z in a union of two half-spaces, by rejection."""
    z = draws(12 * n)
    return z[TWO.margin_of_noise(z) > 0][:n]


def moves_of(kernel, problem, chains, count):
    """The chains after each of `count` moves."""
    budget = wb.Budget(10**9)
    return [c for c, _ in islice(steps(kernel, problem, chains, budget), count)]


def ks(values, law):
    return kstest(values.numpy(), law).pvalue


@each_kernel
def test_half_space(cls):
    """Along the normal the truncated normal, across it N(0, I): Kolmogorov-Smirnov and moments."""
    z0 = beyond_one_plane(CHAINS)
    kernel = cls()
    z = moves_of(kernel, ONE, kernel.init(ONE, z0, wb.Rng(2), threshold=0.0), MOVES)[-1].noise
    assert (z != z0).any(1).double().mean() > 0.3
    a = torch.tensor([0.6, 0.0, 0.8])
    across = torch.tensor([[0.0, 1.0, 0.0], [0.8, 0.0, -0.6]])
    along = z @ a
    assert ks(along, lambda t: 1.0 - norm.sf(t) / norm.sf(3.0)) > FALSE_ALARM
    for direction in across:
        assert ks(z @ direction, norm.cdf) > FALSE_ALARM
    hazard = norm.pdf(3.0) / norm.sf(3.0)
    variance = 1.0 + 3.0 * hazard - hazard**2
    gap = float(along.mean()) - hazard
    assert abs(gap) < SIGMAS * math.sqrt(variance / CHAINS)
    products = (along - hazard) * (z @ across[1])  # uncorrelated
    assert abs(float(products.mean())) < SIGMAS * math.sqrt(variance / CHAINS)


@each_kernel
def test_union_of_two_half_spaces(cls):
    """The shares of the three parts of the union, and the law beyond the first plane."""
    z0 = beyond_two_planes(CHAINS)
    kernel = cls()
    z = moves_of(kernel, TWO, kernel.init(TWO, z0, wb.Rng(2), threshold=0.0), MOVES)[-1].noise
    n, p, q = len(z), norm.sf(1.5), norm.sf(1.2)
    first, second = z[:, 0] > 1.5, z @ torch.tensor([0.0, 0.6, 0.8]) > 1.2
    assert bool((first | second).all())
    whole = p + q - p * q
    for part, share in ((first, p / whole), (second, q / whole), (first & second, p * q / whole)):
        assert binomtest(int(part.sum()), n, share).pvalue > FALSE_ALARM
    assert ks(z[first, 0], lambda t: 1.0 - norm.sf(t) / p) > FALSE_ALARM
    assert ks(z[:, 1:] @ torch.tensor([0.8, -0.6]), norm.cdf) > FALSE_ALARM


@each_kernel
def test_without_a_level_nothing_is_conditioned_on(cls):
    kernel = cls()
    start = kernel.init(ONE, draws(CHAINS), wb.Rng(3))
    last = moves_of(kernel, ONE, start, MOVES)[-1]
    assert kernel.read(last).acceptance == 1.0
    for column in last.noise.T:
        assert ks(column, norm.cdf) > FALSE_ALARM
    assert bool((last.noise != start.noise).all())


@each_kernel
def test_two_moves_are_reversible(cls):
    """(z_0, z_k) and (z_k, z_0) have one law: a statistic odd under the exchange has mean 0."""
    z0 = beyond_two_planes(CHAINS)
    kernel = cls()
    z = kernel.step(TWO, kernel.init(TWO, z0, wb.Rng(4), threshold=0.0)).noise
    odd = (
        z0[:, 0] * z[:, 0] ** 2 - z[:, 0] * z0[:, 0] ** 2,
        z0[:, 1] * z[:, 0] - z[:, 1] * z0[:, 0],
        z0[:, 2] ** 3 * z[:, 2] - z[:, 2] ** 3 * z0[:, 2],
    )
    for values in odd:
        error = float(values.std()) / math.sqrt(len(values))
        assert abs(float(values.mean())) < SIGMAS * error


def test_a_leg_run_backwards_ends_where_it_began():
    """Direct, reflected and undone legs alike: leg, turn v about, leg gives (z, -v)."""
    z = beyond_two_planes(2000)
    v, s = draws(2000, 5), TWO.margin_of_noise(z)
    t = torch.linspace(0.01, 1.5, 2000)
    z1, v1, s1, moved, spent = leg(TWO, z, v, s, t, 0.0)
    assert 0.1 < moved.double().mean() < 1.0 and spent > 3000  # all three kinds occur
    back, turned, again, _, _ = leg(TWO, z1, -v1, s1, t, 0.0)
    assert torch.allclose(back, z, atol=1e-12) and torch.allclose(turned, -v, atol=1e-12)
    assert torch.allclose(again, s, atol=1e-12)
    energy = z.square().sum(1) + v.square().sum(1)
    assert torch.allclose(z1.square().sum(1) + v1.square().sum(1), energy, atol=1e-12)
    assert torch.equal(v1[~moved], -v[~moved]) and torch.equal(z1[~moved], z[~moved])


def test_reflection_mirrors_and_lets_pass_where_there_is_no_gradient():
    v = torch.tensor([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
    g = torch.tensor([[0.0, 2.0], [0.0, 0.0], [math.inf, 0.0]])
    assert reflect(v, g).tolist() == [[3.0, -4.0], [3.0, 4.0], [3.0, 4.0]]


class Counted(torch.nn.Module):
    """Counts the inputs it sees."""

    def __init__(self, model):
        super().__init__()
        self.model, self.seen, self.graded = model, 0, 0

    def forward(self, x):
        self.seen += len(x)
        self.graded += len(x) * x.requires_grad
        return self.model(x)


@each_kernel
def test_forwards_are_counted(cls):
    """Each input seen is one forward pass, and one more where a gradient is taken."""
    model = Counted(TWO.model)
    problem = wb.Problem(TWO.distribution, model, TWO.spec)
    kernel, z = cls(), beyond_two_planes(500)
    problem.margin_of_noise(z)  # looks once what the model keeps of an input
    model.seen = model.graded = 0
    chains = kernel.init(problem, z, wb.Rng(1), threshold=0.0)
    for _ in range(4):
        before = chains.forwards
        chains = kernel.step(problem, chains)
        assert len(z) <= chains.forwards - before <= kernel.most(len(z))
    assert chains.forwards == model.seen + model.graded
    assert (model.graded > 0) == (cls is Hamiltonian)
    assert kernel.read(chains).forwards == chains.forwards


@each_kernel
def test_resumed_equals_straight(cls):
    kernel, z = cls(), beyond_two_planes(50)
    start = kernel.init(TWO, z, wb.Rng(9), threshold=0.0, target=0.45)
    straight = moves_of(kernel, TWO, start, 4)
    loaded = unpack(kernels.Chains, pack(straight[1]))
    resumed = moves_of(cls(), TWO, loaded, 2)
    assert all(equal(a, b) for a, b in zip(resumed, straight[2:], strict=True))


@pytest.mark.parametrize("cls", [kernels.PCN, Hamiltonian], ids=lambda cls: cls.name)
def test_step_size_is_steered(cls):
    kernel, z = cls(), beyond_two_planes(50)
    grown, kept = (
        moves_of(kernel, TWO, kernel.init(TWO, z, wb.Rng(9), threshold=0.0, target=target), 3)[-1]
        for target in (0.0, None)
    )
    assert grown.step_size > kept.step_size == cls.start


def test_step_size_falls_where_too_few_moves_are_taken():
    start = kernels.PCN().init(TWO, beyond_two_planes(50), wb.Rng(9), threshold=0.0, target=1.0)
    assert moves_of(kernels.PCN(), TWO, start, 3)[-1].step_size < start.step_size


@each_kernel
def test_starts_outside_the_level_are_refused(cls):
    with pytest.raises(wb.BadInput, match="3 of 3 lie outside"):
        cls().init(ONE, torch.zeros(3, 3), wb.Rng(0), threshold=0.0)
    with pytest.raises(wb.BadInput, match="need starts"):
        cls().init(ONE, torch.zeros(0, 3), wb.Rng(0))


@pytest.mark.parametrize("settings", [{"shrinks": -1}, {"legs": 0}], ids=str)
def test_settings_out_of_range(settings):
    cls = kernels.EllipticalSlice if "shrinks" in settings else Hamiltonian
    with pytest.raises(wb.BadInput, match="must"):
        cls(**settings)


def test_a_margin_without_gradient_is_refused():
    class Cut(torch.nn.Module):
        def forward(self, x):
            return x.detach()

    problem = wb.Problem(TWO.distribution, Cut(), wb.Halfspace(torch.tensor([1.0, 0.0, 0.0]), -2.0))
    with pytest.raises(wb.Unsupported, match="carries no gradient"):
        wb.Subset(kernel="hamiltonian")(problem, 5000)


@pytest.mark.parametrize("settings", [{"kernel": "gibbs"}, {"levels": "free"}], ids=str)
def test_subset_names_its_choices(settings):
    with pytest.raises(wb.BadInput, match=r"unknown .* use one of"):
        wb.Subset(**settings)


@each_kernel
def test_fixed_levels_are_unbiased(cls):
    """The mean of P-hat over 200 repeats with tiny populations, where adaptive levels lean.

    Within 4.9 standard errors of P = Phi(-3).
    """
    subset = wb.Subset(kernel=cls.name, levels="fixed", particles=100)
    answers = []
    for seed in range(12):
        estimate = subset(ONE, 30_000, seed)
        answers += [10**v for v in estimate.info["log10_p_repeats"]]
    values = torch.tensor(answers, dtype=torch.float64)
    assert len(values) >= 200
    error = float(values.std()) / math.sqrt(len(values))
    assert abs(float(values.mean()) - norm.sf(3.0)) < SIGMAS * error
