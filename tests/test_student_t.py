"""The multivariate t against scipy: draws, density, tails, and what estimates from it say."""

import math

import mpmath
import pytest
import torch
from scipy import stats
from scipy.special import gammaincinv

import workbench as wb
from workbench.distributions import varied
from workbench.estimators import lines
from workbench.math.gamma import log_gamma_quantile
from workbench.views.variation import std_along

SIGMAS = 5.0  # a false alarm of 6e-7 a comparison
each_df = pytest.mark.parametrize("df", [1.0, 2.5, 4, 30, 1e6])


def law(df, d=3):
    low = torch.randn(d, d, generator=torch.Generator().manual_seed(1)).tril(-1)
    return wb.StudentT(torch.linspace(-1.0, 1.0, d), low + torch.eye(d), df)


def linear(df, p, d=3):
    """A linear model whose margin is one t, exceeding its bar with probability p; and log10 p."""
    D = law(df, d)
    M = torch.nn.Linear(d, 1)
    torch.nn.init.ones_(M.weight), torch.nn.init.zeros_(M.bias)
    a = M.weight.detach()
    bar = float(a @ D.mean + (a @ D.scale).norm() * stats.t.isf(p, df))
    problem = wb.Problem(D, M, wb.Halfspace(torch.ones(1), -bar))
    unit = (bar - float(a @ D.mean)) / float((a @ D.scale).norm())
    return problem, float(stats.t.logsf(unit, df)) / math.log(10.0)


@pytest.mark.parametrize("a", [0.5, 1.0, 7.3, 500.0, 5e5])
def test_quantiles_of_the_gamma_law_and_their_gradient(a):
    z = torch.tensor([-6.0, -1.0, -1e-3, 0.0, 0.5, 7.0], requires_grad=True)
    v = log_gamma_quantile(z, a)
    known = torch.from_numpy(gammaincinv(a, stats.norm.cdf(z.detach().numpy()[:-1])))
    torch.testing.assert_close(v[:-1].detach(), known.log(), rtol=1e-9, atol=1e-9)
    torch.autograd.gradcheck(lambda t: log_gamma_quantile(t, a), z, eps=1e-5, rtol=1e-6)


@pytest.mark.parametrize("z", [-30.0, -12.0, 12.0, 30.0])
def test_quantiles_of_the_gamma_law_far_out(z):
    """The probability beyond the quantile in fifty digits."""
    for a in (0.5, 3.0, 40.0):
        x = mpmath.exp(float(log_gamma_quantile(torch.tensor(z), a)))
        with mpmath.workdps(50):
            side = (0, x) if z < 0 else (x, mpmath.inf)
            beyond = mpmath.log(mpmath.gammainc(a, *side, regularized=True))
            wanted = mpmath.log(mpmath.erfc(abs(z) / mpmath.sqrt(2)) / 2)
        assert float(beyond / wanted) == pytest.approx(1.0, abs=1e-9)


@each_df
def test_its_density_is_scipy_s(df):
    D = law(df)
    x = 4.0 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    shape = (D.scale @ D.scale.T).numpy()
    known = stats.multivariate_t(D.mean.numpy(), shape, df).logpdf(x.numpy())
    assert D.log_prob(x).tolist() == pytest.approx(known.tolist(), rel=1e-8)


@each_df
def test_every_direction_of_its_draws_is_a_t(df):
    D, a = law(df), torch.tensor([1.0, -2.0, 0.5])
    x = D.sample(20_000, torch.Generator().manual_seed(0))
    t = ((x - D.mean) @ a / (a @ D.scale).norm()).numpy()
    assert stats.kstest(t, stats.t(df).cdf).pvalue > 1e-6


@each_df
@pytest.mark.parametrize("p", [0.3, 1e-4, 1e-12, 1e-20])
def test_propagation_is_exact_for_a_linear_model(df, p):
    problem, log10_p = linear(df, p)
    assert abs(wb.Moments()(problem).log10_p - log10_p) < 4e-4


@each_df
def test_conditioned_and_importance_know_the_tail(df):
    """Lines and Gaussians of noise that is stretched: within the errors that they state."""
    problem, log10_p = linear(df, 1e-10)
    with torch.no_grad():
        found = wb.Conditioned()(problem)
    assert abs(found.log10_p - log10_p) < 0.03
    drawn = wb.Importance()(problem, 20_000)
    assert abs(drawn.log10_p - log10_p) < SIGMAS * drawn.log10_err < 0.1


@pytest.mark.parametrize("name", ["S_linear_1e-8", "S_plane_1e-6"])
def test_samplers_agree_with_the_exact_truth(name):
    problem = wb.load(name)
    for estimator in (wb.Importance(), wb.Subset()):
        found = estimator(problem, 15_000)
        assert abs(found.log10_p - problem.truth.log10_p) < SIGMAS * found.log10_err < 2.0
    assert abs(wb.Conditioned()(problem).log10_p - problem.truth.log10_p) < 0.05


def test_the_gradient_of_log_p_in_its_parameters():
    """d log P / d mean = a f(u) / (S(u) sigma) for the t with density f and tail S."""
    problem, _ = linear(3.0, 1e-6)
    mean = problem.distribution.mean.clone().requires_grad_()
    moved = wb.StudentT(mean, problem.distribution.scale, 3.0)
    log_p = wb.Moments()(problem.vary(distribution=moved)).log_p
    (gradient,) = torch.autograd.grad(log_p, mean)
    sigma = float(problem.distribution.scale.sum(0).norm())
    u = stats.t.isf(1e-6, 3.0)
    known = stats.t.pdf(u, 3.0) / stats.t.sf(u, 3.0) / sigma
    assert gradient.tolist() == pytest.approx([known] * 3, rel=1e-3)


def test_roots_of_a_margin_that_bends_along_its_lines():
    """exp(t^2 / 4) = 1e4 (1 + w_0^2): by its asinh roots are known to 1e-3, else to 1e-2."""
    across = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    across[:, 1] = 0.0
    unit, bar = torch.tensor([0.0, 1.0]), 1e4 * (1.0 + across[:, 0].square())
    known = 2.0 * torch.sqrt(torch.log(bar))

    def margin(z):
        return torch.exp(z[:, 1].square() / 4.0) - 1e4 * (1.0 + z[:, 0].square())

    args = (margin, across, unit, torch.full((50,), 4.0), 1.0, (-12.0, 15.0))
    found = lines.crossings(*args, bent=True).t
    assert float((found - known).abs().max()) < 1e-3
    assert float((lines.crossings(*args).t - known).abs().max()) > 1e-2


def test_stretched_and_moved_it_is_another_t():
    D = law(4.0)
    other = varied(D, 2.0, torch.ones(3))
    z = D.noise(7, torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.push(z), D.mean + 1.0 + 2.0 * (D.push(z) - D.mean))
    cauchy, a = law(1.0), torch.tensor([1.0, 0.0, 0.0])
    assert std_along(cauchy, a) == pytest.approx(1.0)  # its scale, where it has no variance


def test_single_precision_and_other_scales():
    D = wb.StudentT(torch.zeros(2), 0.5, 3)
    assert D.scale.tolist() == [0.5, 0.5] and D.df == 3.0
    problem, log10_p = linear(3.0, 1e-6)
    assert abs(wb.Moments()(problem.to(torch.float32)).log10_p - log10_p) < 1e-3


@pytest.mark.parametrize("df", [0.5, 0, -1, math.nan, math.inf, "3", True, 1e7])
def test_degrees_of_freedom_are_a_number_from_one_on(df):
    with pytest.raises(wb.BadInput, match=r"degrees of freedom .* from 1 \(Cauchy\) .*, got"):
        wb.StudentT(torch.zeros(2), torch.ones(2), df)


def test_what_a_gaussian_refuses_it_refuses_in_its_own_name():
    with pytest.raises(wb.BadInput, match=r"the scale of a student_t must be positive"):
        wb.StudentT(torch.zeros(2), torch.tensor([1.0, 0.0]), 3.0)


@pytest.mark.parametrize(
    "estimator, needed",
    [
        (wb.Upper(), r"a Factored distribution is needed \(gaussian, mixture, box\)"),
        (wb.Slices(), "a gaussian or a mixture is needed"),
        (wb.Orthant(), "a Factored distribution is needed"),
    ],
)
def test_who_cannot_serve_it_says_who_can(estimator, needed):
    said = rf"the distribution 'student_t': {needed}.*; try instead: moments, conditioned, "
    with pytest.raises(wb.Unsupported, match=said) as refused:
        estimator(wb.load("S_plane_1e-6"))
    assert "slices" not in str(refused.value).split("try instead")[1]
