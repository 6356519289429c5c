"""Estimators of token inputs against small cases that are exact."""

import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import multivariate_normal
from test_tokens import law, small, target
from torch.nn.functional import one_hot

import workbench as wb
from workbench.estimators.soft_tokens import margin_and_gradient
from workbench.estimators.weighing import Weighed, estimate_of, weighed
from workbench.kernels import TokenGibbs
from workbench.math.least_distance import shortest
from workbench.models import dense
from workbench.types import Kind

SIGMAS = 5.0
"""A standard normal is beyond 5 with a chance of 6e-7; Student's t of 29, one of 3e-5."""


@pytest.mark.parametrize(
    "estimator",
    [wb.ITGIS(batch=64), wb.ITGIS(batch=64, temperature=4.0), wb.CrossEntropy(batch=200)],
    ids=str,
)
def test_importance_weights_are_unbiased(estimator):
    """The mean of P-hat over 30 runs within 5 of its standard errors."""
    problem, log10_p = target()
    answers = torch.tensor([10 ** estimator(problem, 3000, seed).log10_p for seed in range(30)])
    error = float(answers.std()) / math.sqrt(30)
    assert error < 0.3 * 10**log10_p
    assert abs(float(answers.mean()) - 10**log10_p) < SIGMAS * error


@pytest.mark.slow
def test_mhis_tends_to_the_truth():
    """The mean of P-hat over 8 long runs within 10 of its standard errors and 1%:
    Student's t of 7 is beyond 10 with a chance of 2e-5."""
    problem, log10_p = target(power=1.5)
    estimator = wb.MHIS(burn_in=50, temperature=2.0)
    answers = torch.tensor([10 ** estimator(problem, 24_000, seed).log10_p for seed in range(8)])
    error = float(answers.std()) / math.sqrt(8)
    assert error < 0.2 * 10**log10_p
    assert abs(float(answers.mean()) - 10**log10_p) < 2 * SIGMAS * error + 0.01 * 10**log10_p


def test_mhis_proposals_keep_the_law_that_they_should():
    """Shares of the 25 sequences under q proportional to p e^(s / T), 40,000 visits of 400 chains.

    Each chain is one observation: 5 of its standard errors, and 1% for what burn-in left.
    """
    d, model = law(2), small()
    problem = wb.Problem(d, model, wb.Argmax(2, "wins"))
    estimator = wb.MHIS(chains=400, burn_in=20, temperature=2.0)
    x, log_p = d.outcome(0, 25)
    q = torch.softmax(log_p + problem.margin(x) / 2.0, 0)
    state = estimator.init(problem, wb.Rng(0))
    visits = torch.zeros(400, 25)
    for step in range(121):
        state = estimator.step(problem, state)
        state = type(state)(**{**state.__dict__, "steps": step + 1})
        if step > 20:
            visits += one_hot(state.x @ torch.tensor([5, 1]), 25)
    share = visits / visits.sum(1, keepdim=True)
    error = share.std(0) / 20.0
    assert bool(((share.mean(0) - q).abs() < SIGMAS * error + 0.01 * q + 1e-4).all())


def wedge(shift):
    """Exactly Gaussian activations in three dimensions, four logits, and P(logit 0 wins)."""
    g = torch.Generator().manual_seed(5)
    scale = torch.tril(torch.randn(3, 3, generator=g)) + 1.5 * torch.eye(3)
    mean = torch.randn(3, generator=g)
    first, last = torch.randn(3, 3, generator=g), torch.randn(4, 3, generator=g)
    bias = torch.randn(4, generator=g) - shift * one_hot(torch.tensor(0), 4)
    model = torch.nn.Sequential(dense(first), dense(last, bias)).requires_grad_(False)
    problem = wb.Problem(wb.Gaussian(mean, scale), model, wb.Argmax(0, "wins"))
    gaps = last[0] - last[1:]
    to = gaps @ first
    centre, cov = to @ mean + bias[0] - bias[1:], to @ scale @ scale.T @ to.T
    p = multivariate_normal.cdf(
        torch.zeros(3).numpy(), -centre.numpy(), cov.numpy(),
        maxpts=4_000_000, abseps=1e-12, releps=1e-6,
    )  # fmt: skip
    return problem, float(p)


@pytest.mark.parametrize("shift", [1.0, 2.0, 2.5])
def test_qld_is_right_on_gaussian_activations(shift):
    """Within 10%, the mean of 8 runs of 2^18 draws, whose own error is below 3%.

    The Gaussian fit to the margin alone is 5 times too high and more.
    """
    problem, p = wedge(shift)
    answers = torch.tensor([10 ** wb.QLD()(problem, 1 << 18, seed).log10_p for seed in range(8)])
    assert float(answers.std()) / math.sqrt(8) < 0.03 * p
    assert float(answers.mean()) == pytest.approx(p, rel=0.1)
    assert p > 1e-4 and (shift < 2.0 or wb.GLD()(problem, 1 << 16, 0).log10_p > math.log10(5 * p))


def test_gld_on_tokens_is_the_gaussian_of_the_exact_moments():
    """Phi(mean / std) with both by enumeration; the ratio is known to sqrt((1 + r^2/2) / n)."""
    problem, _ = target(power=1.0)
    d = problem.distribution
    x, log_p = d.outcome(0, d.outcomes)
    s, p = problem.margin(x), torch.exp(log_p)
    mean = float((p * s).sum())
    r = mean / math.sqrt(float((p * (s - mean) ** 2).sum()))
    found = wb.GLD()(problem, 200_000, 0)
    got = found.info["margin_mean"] / found.info["margin_std"]
    skew = 1.0 + abs(r) * 2.0 + r * r
    assert abs(got - r) < SIGMAS * math.sqrt(skew / 200_000)


def test_rows_without_a_normal_hold_everywhere_or_nowhere():
    flat = torch.zeros(2, 3)
    assert shortest(flat, torch.tensor([0.5, 0.0])).tolist() == [1.0, 0.0, 0.0]
    assert shortest(flat, torch.tensor([0.5, -0.5])) is None


def test_shortest_is_the_nearest_point():
    """Feasible once scaled to the boundary, and no nearer than by a fine search along circles."""
    g = torch.Generator().manual_seed(0)
    for _ in range(20):
        normals, offsets = torch.randn(6, 2, generator=g), torch.randn(6, generator=g)
        found = shortest(normals, offsets)
        angle = torch.arange(100_000) * 2 * math.pi / 100_000
        rays = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
        slope, level = rays @ normals.T, offsets.expand(100_000, 6)
        need = torch.where(slope > 0, -level / slope, -math.inf).amax(1).clamp(min=0)
        ends = torch.where(slope < 0, -level / slope, math.inf).amin(1)
        reach = torch.where(need <= ends, need, math.inf)
        if not bool((offsets < 0).any()):
            assert found is not None
        elif not bool(torch.isfinite(reach).any()):
            assert found is None
        else:
            near = rays[int(reach.argmin())]
            assert float((found * near).sum()) > 1 - 1e-6


def test_gradient_in_one_hots_is_that_of_the_margin():
    problem, _ = target()
    x, _ = problem.distribution.outcome(100, 3)
    s, gradient = margin_and_gradient(problem, x)
    assert torch.allclose(s, problem.margin(x))
    soft, tilt = one_hot(x, 5).double(), 1e-6 * torch.randn(3, 4, 5)
    up, down = (problem.judge(x, problem.model(soft + sign * tilt)) for sign in (1, -1))
    assert torch.allclose((up - down) / 2, (gradient * tilt).sum((1, 2)), atol=1e-12)


def test_a_model_without_soft_tokens_is_refused():
    class Table(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(5, 3, dtype=torch.float64)

        def forward(self, x):
            return self.table(x).sum(1)

    problem = wb.Problem(law(), Table(), wb.Argmax(0, "wins"))
    with pytest.raises(wb.Unsupported, match="on soft tokens"):
        wb.ITGIS()(problem, 1000)
    assert math.isfinite(wb.Subset()(problem, 1000).log10_p)


def test_token_gibbs_keeps_the_law_above_a_level():
    """Exact conditional draws stay exact after 5 moves: frequencies within 5 standard errors."""
    problem, _ = target(power=1.0)
    d = problem.distribution
    x, log_p = d.outcome(0, d.outcomes)
    s = problem.margin(x)
    level = float(s.quantile(0.7))
    p = torch.where(s > level, torch.exp(log_p), 0.0)
    p = p / p.sum()
    n = 50_000
    start = torch.multinomial(p, n, replacement=True, generator=torch.Generator().manual_seed(0))
    chains = TokenGibbs().init(problem, x[start], wb.Rng(1), threshold=level, step_size=0.4)
    for step in range(5):
        chains = TokenGibbs().step(problem, type(chains)(**{**chains.__dict__, "steps": step}))
    place = torch.tensor([125, 25, 5, 1])
    assert bool((chains.margin > level).all()) and chains.accepted > n
    seen = torch.bincount(chains.noise @ place, minlength=625)[x @ place] / n
    assert bool(((seen - p).abs() < SIGMAS * torch.sqrt(p / n) + 8 / n).all())


def test_subset_moves_tokens_too():
    """Ten repeats or more in the budget; 5 standard errors of their mean."""
    problem, log10_p = target()
    found = wb.Subset(particles=400)(problem, 60_000, 1)
    assert found.info["repeats"] >= 10
    assert abs(found.log10_p - log10_p) < SIGMAS * found.log10_err


def test_mhis_says_when_a_few_chains_carry_it():
    """P = 10^-3.7 at 16,384 forward passes: few chains meet the event."""
    few = wb.MHIS()(wb.load("T_bpe_word_1e-4"), 16_384, 0)
    assert few.log10_p == -math.inf or "chains carry the sum" in few.warning


def test_a_mean_that_few_weights_carry_has_the_interval_of_few():
    """Weights w = u^-0.8, u uniform: of tail index 0.8, mean 5, and a variance that is infinite."""
    n, held, tails = 2000, 0, []
    g = torch.Generator().manual_seed(0)
    for _ in range(60):
        log_w = -0.8 * torch.rand(n, generator=g, dtype=torch.float64).log()
        empty = Weighed(rng=wb.Rng(0))
        halves = weighed(weighed(empty, log_w[:700], 700, 700), log_w[700:], n - 700, n - 700)
        lone = replace(halves, log_w=halves.log_w - math.log(50.0))  # so that P is below 1
        lone = replace(lone, log_w2=halves.log_w2 - 2.0 * math.log(50.0))
        found = estimate_of(lone, Kind.UNBIASED)
        tails.append(found.info["pareto_k"])
        assert "warning" in found.info or tails[-1] <= 0.7
        low, high = found.interval
        held += low <= math.log(0.1) <= high
    assert sum(tails) / len(tails) == pytest.approx(0.8, abs=0.1)
    # A normal interval of the weights' own spread holds it in 35 of them.
    assert held >= 50


def test_light_weights_keep_the_usual_interval():
    state = weighed(Weighed(rng=wb.Rng(0)), torch.full((400,), -3.0), 1000, 1000)
    found = estimate_of(state, Kind.UNBIASED)
    assert "warning" not in found.info and found.log_err == pytest.approx(math.sqrt(0.0015))
    assert found.interval[1] - float(found.log_p) == pytest.approx(1.966 * found.log_err, rel=1e-3)
