"""Distributions: densities, moments, noise, and what they refuse."""

import dataclasses
import math

import pytest
import torch
from scipy import stats

import workbench as wb
from workbench.distributions import (
    ALL,
    BoxSupport,
    Density,
    Energy,
    Moments,
    Recognised,
    Reparameterised,
    Sequences,
)
from workbench.math.logspace import log_sum

DRAWS = 200_000
SIGMAS = 5.5  # a false alarm of 4e-8 a comparison, of which this file makes some dozens


def factor(d, seed):
    low = torch.randn(d, d, generator=torch.Generator().manual_seed(seed)).tril(-1)
    return low + torch.diag(torch.linspace(0.5, 1.5, d))


def mixture():
    return wb.Mixture(
        torch.tensor([1.0, 3.0, 4.0]),
        (
            wb.Gaussian(torch.tensor([-2.0, 0.0]), torch.tensor([0.5, 1.0])),
            wb.Gaussian(torch.tensor([1.0, 1.0]), factor(2, 1)),
            wb.Gaussian(torch.tensor([3.0, -1.0]), torch.tensor([0.1, 0.2])),
        ),
    )


EXAMPLES = {
    "diagonal": wb.Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0])),
    "full": wb.Gaussian(torch.tensor([1.0, -2.0, 0.0]), factor(3, 0)),
    "one": wb.Gaussian(torch.tensor([7.0]), torch.tensor([1e-3])),
    "mixture": mixture(),
    "student_t": wb.StudentT(torch.tensor([1.0, -2.0]), factor(2, 2), 9.0),
    "box": wb.Box(torch.tensor([0.0, -3.0]), torch.tensor([1.0, 5.0])),
}
each = pytest.mark.parametrize("d", EXAMPLES.values(), ids=EXAMPLES)


def moments(d):
    """Mean and covariance from the pieces, by the laws of total mean and covariance."""
    pieces = d.pieces()
    w = torch.stack([p.log_weight for p in pieces]).exp()
    mean = sum(wk * p.mean for wk, p in zip(w, pieces, strict=True))
    second = sum(
        wk * ((torch.diag(p.cov) if p.cov.ndim == 1 else p.cov) + torch.outer(p.mean, p.mean))
        for wk, p in zip(w, pieces, strict=True)
    )
    assert float(w.sum()) == pytest.approx(1.0, abs=1e-14)
    return mean, second - torch.outer(mean, mean)


@each
def test_samples_have_the_moments_that_the_pieces_say(d):
    x = d.sample(DRAWS, torch.Generator().manual_seed(0))
    assert x.shape == (DRAWS, d.dim) and x.dtype == d.dtype
    mean, cov = moments(d)
    centred = x - mean
    error = centred.std(0) / math.sqrt(DRAWS)
    assert bool(((x.mean(0) - mean).abs() < SIGMAS * error).all())
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(0) / math.sqrt(DRAWS)
    assert bool(((products.mean(0) - cov).abs() < SIGMAS * error).all())


@each
def test_sampling_is_seeded_and_pushed_from_normal_noise(d):
    assert isinstance(d, Reparameterised)
    a, b = (d.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b)
    z = d.noise(5, torch.Generator().manual_seed(3))
    assert z.shape == (5, d.noise_dim) and torch.equal(d.push(z), a)
    assert not torch.equal(a, d.sample(5, torch.Generator().manual_seed(4)))


@each
def test_density_is_that_of_the_samples(d):
    """E[1 / density] over D, inside a region of known volume, is the volume (by importance)."""
    assert isinstance(d, Density)
    x = d.sample(DRAWS, torch.Generator().manual_seed(1))
    mean, cov = moments(d)
    sd = torch.diagonal(cov).sqrt()
    inside = ((x - mean).abs() < 0.8 * sd).all(-1)
    weight = torch.where(inside, torch.exp(-d.log_prob(x)), 0.0)
    low, high = mean - 0.8 * sd, mean + 0.8 * sd
    if isinstance(d, BoxSupport):
        low, high = torch.maximum(low, d.bounds()[0]), torch.minimum(high, d.bounds()[1])
    volume = float((high - low).prod())
    if len(moments(d)[0]) == 2 and d.name == "mixture":
        # Some of the region has almost no mass: integrate the density over it instead.
        grid = torch.cartesian_prod(*(torch.linspace(-12, 12, 1501) for _ in range(2)))
        total = torch.exp(d.log_prob(grid)).sum() * (24 / 1500) ** 2
        assert total.item() == pytest.approx(1.0, abs=1e-6)
        return
    error = float(weight.std()) / math.sqrt(DRAWS)
    assert abs(float(weight.mean()) - volume) < SIGMAS * error + 1e-12 * volume


def test_densities_against_scipy():
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    d = EXAMPLES["diagonal"]
    truth = stats.norm.logpdf(x.numpy(), d.mean.numpy(), d.scale.numpy()).sum(1)
    assert d.log_prob(x).tolist() == pytest.approx(truth.tolist(), rel=1e-12)
    full = wb.Gaussian(torch.tensor([0.3, 0.1]), factor(2, 4))
    cov = (full.scale @ full.scale.T).numpy()
    truth = stats.multivariate_normal.logpdf(x.numpy(), full.mean.numpy(), cov)
    assert full.log_prob(x).tolist() == pytest.approx(truth.tolist(), rel=1e-12)
    mix = mixture()
    parts = torch.stack([c.log_prob(x) for c in mix.components], -1)
    truth = log_sum(parts + torch.log(torch.tensor([1.0, 3.0, 4.0]) / 8.0))
    torch.testing.assert_close(mix.log_prob(x), truth)
    box = EXAMPLES["box"]
    assert box.log_prob(torch.tensor([[0.5, 0.0], [1.5, 0.0]])).tolist() == pytest.approx(
        [-math.log(8.0), -math.inf]
    )


@pytest.mark.parametrize("name", ["diagonal", "full"])
def test_pull_undoes_push(name):
    d = EXAMPLES[name]
    z = torch.randn(9, d.dim, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(d.pull(d.push(z)), z)


def test_a_full_factor_that_is_diagonal_is_the_diagonal_gaussian():
    mean, scale = torch.tensor([1.0, -1.0]), torch.tensor([0.5, 2.0])
    a, b = wb.Gaussian(mean, scale), wb.Gaussian(mean, torch.diag(scale))
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(a.log_prob(x), b.log_prob(x))
    torch.testing.assert_close(a.push(x), b.push(x))
    torch.testing.assert_close(torch.diag(a.pieces()[0].cov), b.pieces()[0].cov)


def test_the_shares_of_a_mixture():
    """Components far apart: their counts are binomial, within 5.5 standard deviations."""
    centres = (-100.0, 0.0, 100.0)
    parts = tuple(wb.Gaussian(torch.tensor([c]), torch.ones(1)) for c in centres)
    d = wb.Mixture(torch.tensor([1.0, 2.0, 5.0]), parts)
    x = d.sample(DRAWS, torch.Generator().manual_seed(2))[:, 0]
    for centre, share in zip(centres, (1 / 8, 2 / 8, 5 / 8), strict=True):
        found = float(((x - centre).abs() < 50).double().mean())
        assert abs(found - share) < SIGMAS * math.sqrt(share * (1 - share) / DRAWS)


def test_box_stays_inside_even_at_extreme_noise():
    box = EXAMPLES["box"]
    low, high = box.bounds()
    x = box.push(torch.tensor([[-50.0, 50.0], [50.0, -50.0]]))
    assert bool(((x >= low) & (x <= high)).all())
    piece = box.pieces()[0]
    assert piece.mean.tolist() == [0.5, 1.0]
    assert piece.cov.tolist() == pytest.approx([1 / 12, 64 / 12])


def test_every_distribution_says_what_it_is():
    names = [cls.name for cls in ALL]
    numbers = ["gaussian", "mixture", "student_t", "box", "discrete", "conditioned", "gibbs"]
    numbers += ["spin_glass", "spin_network"]
    assert names == [*numbers, "tokens", "short_text", "prompted", "accepted_text"]
    assert all(issubclass(cls, Moments | Recognised | Energy | Sequences) for cls in ALL)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: wb.Gaussian([0.0], torch.ones(1)), "floating-point tensor, got list"),
        (lambda: wb.Gaussian(torch.zeros(2).long(), torch.ones(2)), "floating-point tensor"),
        (lambda: wb.Gaussian(torch.zeros(2), torch.ones(3)), r"shape \(2,\), got \(3,\)"),
        (lambda: wb.Gaussian(torch.zeros(2), torch.ones(2, 3)), r"\(2,\) or \(2, 2\)"),
        (lambda: wb.Gaussian(torch.zeros(2), torch.ones(2, 2)), "lower triangular"),
        (lambda: wb.Gaussian(torch.zeros(2), torch.zeros(2)), "positive on its diagonal"),
        (lambda: wb.Gaussian(torch.zeros(2), -torch.eye(2)), "positive on its diagonal"),
        (lambda: wb.Gaussian(torch.tensor([math.nan]), torch.ones(1)), "finite, got 1 NaN"),
        (lambda: wb.Gaussian(torch.zeros(0), torch.zeros(0)), "shape"),
        (lambda: wb.Gaussian(torch.zeros(2), torch.ones(2, dtype=torch.float32)), "share a dtype"),
        (lambda: wb.Box(torch.zeros(2), torch.zeros(2)), "exceed the low one"),
        (lambda: wb.Box(torch.zeros(2), torch.ones(3)), "high corner"),
        (lambda: wb.Box(torch.zeros(2), torch.ones(2, dtype=torch.float32)), "share a dtype"),
        (lambda: wb.Mixture(torch.ones(1), ()), "at least one component"),
        (lambda: wb.Mixture(torch.ones(2), (EXAMPLES["one"],)), "weights of a mixture"),
        (lambda: wb.Mixture(torch.zeros(1), (EXAMPLES["one"],)), "must be positive"),
        (
            lambda: wb.Mixture(torch.ones(2), (EXAMPLES["one"], EXAMPLES["full"])),
            r"differ in dimension: \[1, 3\]",
        ),
    ],
)
def test_malformed_distributions_are_refused(make, said):
    with pytest.raises(wb.BadInput, match=said):
        make()


def test_a_gaussian_takes_one_scale_for_all_or_a_covariance():
    mean = torch.arange(3.0, dtype=torch.float64)
    root = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cov = root @ root.T + torch.eye(3)
    by_cov = wb.Gaussian(mean, covariance=cov)
    torch.testing.assert_close(by_cov.scale @ by_cov.scale.T, cov)
    torch.testing.assert_close(by_cov.pieces()[0].cov, cov)
    for scale in (0.5, torch.tensor(0.5).double()):
        assert torch.equal(wb.Gaussian(mean, scale).scale, torch.full((3,), 0.5).double())
    assert wb.Gaussian(mean, scale=2).dtype == torch.float64
    moved = dataclasses.replace(by_cov, mean=mean + 1.0)
    assert torch.equal(moved.scale, by_cov.scale)


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "its scale or its covariance, one of the two"),
        ({"scale": 1.0, "covariance": torch.eye(2)}, "one of the two"),
        ({"scale": [1.0, 1.0]}, "must be a number, or a tensor .* got list"),
        ({"scale": -1.0}, "positive on its diagonal"),
        ({"scale": True}, "got bool"),
        ({"covariance": torch.ones(2)}, r"a tensor \(2, 2\), got \(2,\)"),
        ({"covariance": torch.tensor([[1.0, 2.0], [0.0, 1.0]])}, "must be symmetric"),
        ({"covariance": torch.tensor([[1.0, 2.0], [2.0, 1.0]])}, "positive definite"),
        ({"scale": torch.ones(2, 2)}, "Cholesky factor, or covariance=K"),
    ],
)
def test_a_gaussian_says_what_it_needs(given, said):
    with pytest.raises(wb.BadInput, match=said):
        wb.Gaussian(torch.zeros(2), **given)


def test_a_seed_is_a_whole_number_by_either_name():
    problem = wb.load("A_d10_1e-3")
    one, two, other = (
        wb.MonteCarlo()(problem, 20_000, **how).log10_p
        for how in ({"seed": 3}, {"rng": 3}, {"seed": 4})
    )
    assert one == two != other
    with pytest.raises(wb.BadInput, match="a seed is a whole number, got 'x'"):
        wb.MonteCarlo()(problem, 1000, seed="x")
