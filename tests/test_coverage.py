"""Sampling estimators covered by their own 95% intervals, on problems with exact truth.

Of n repeats at least `cases.at_least(n, coverage)` intervals must hold the truth: a method with
exactly that coverage fails a test with a chance below 1e-6.
"""

import math

import cases
import pytest
import torch

import workbench as wb
from workbench.estimators.TEMPLATE import Stratified
from workbench.models import chain, dense


def covered(estimator, problem, budget, repeats):
    """How many of the intervals hold the truth, and the estimates."""
    estimates = [estimator(problem, budget, 100 + seed) for seed in range(repeats)]
    truth = problem.truth.log_p
    return sum(e.interval[0] <= truth <= e.interval[1] for e in estimates), estimates


def fair(p):
    """P = p exactly, in two dimensions, through a ReLU that never binds."""
    b = torch.special.ndtri(torch.tensor(p)).item()
    model = chain([dense(torch.tensor([[0.6, 0.8]])), torch.nn.Flatten()])
    gaussian = wb.Gaussian(torch.zeros(2), torch.ones(2))
    truth = wb.Truth(math.log10(p), 0.0, "exact")
    return wb.Problem(gaussian, model, wb.Halfspace(torch.ones(1), b), truth=truth)


@pytest.mark.parametrize("p", [0.5, 0.03, 1e-3, 1e-5])
@pytest.mark.parametrize("estimator", [wb.MonteCarlo(), Stratified()], ids=lambda e: e.name)
def test_counting_keeps_95_percent_whatever_p(estimator, p):
    """Clopper-Pearson is exact: at least 95% also where almost no hit is seen."""
    held, _ = covered(estimator, fair(p), 2000, 60)
    assert held >= cases.at_least(60, 0.95)


def test_counting_is_unbiased():
    """The mean of 300 answers, within five standard errors (a false alarm of 6e-7)."""
    problem, n, repeats = fair(0.01), 500, 300
    for estimator in (wb.MonteCarlo(), Stratified()):
        answers = [10 ** estimator(problem, n, seed).log10_p for seed in range(repeats)]
        error = math.sqrt(0.01 * 0.99 / (n * repeats))
        assert abs(sum(answers) / repeats - 0.01) < 5 * error


def test_stratification_helps_where_the_coordinate_matters():
    """On C = {z_0 > t} the strata leave one uncertain coin in n: at most one hit either way."""
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(2), torch.ones(2)),
        chain([dense(torch.tensor([[1.0, 0.0]]))]),
        wb.Halfspace(torch.ones(1), -1.0),
    )
    p = 10 ** wb.Moments()(problem).log10_p
    for seed in range(20):
        assert abs(10 ** Stratified()(problem, 1000, seed).log10_p - p) <= 1 / 1000


def test_zero_hits_are_answered_with_an_upper_bound():
    problem = wb.load("A_d10_1e-12")
    estimate = wb.MonteCarlo()(problem, 10_000, 0)
    assert estimate.log10_p == -math.inf and estimate.log_err == math.inf
    low, high = estimate.interval
    assert low == -math.inf
    assert high == pytest.approx(math.log(1 - 0.025 ** (1 / 10_000)), rel=1e-9)


@pytest.mark.parametrize(
    "name, budget", [("A_d10_1e-3", 20_000), ("A_d100_1e-6", 20_000), ("A_d10_1e-12", 80_000)]
)
def test_subset_on_deep_linear_problems(name, budget):
    """Coverage 90%, and an error that is neither idle nor hopeless: under half a digit."""
    held, estimates = covered(wb.Subset(), wb.load(name), budget, 30)
    assert held >= cases.at_least(30, 0.90)
    assert all(0 < e.log10_err < 0.5 for e in estimates)


def test_subset_s_error_is_the_spread_of_its_answers():
    """The root mean square of the stated errors against the spread over 40 seeds.

    The spread of 40 normal answers is within 45% of the truth but for 1e-4; the stated errors,
    from a dozen repeats each, add a little.
    """
    problem = wb.load("A_d10_1e-6")
    estimates = [wb.Subset()(problem, 30_000, seed) for seed in range(40)]
    answers = torch.tensor([e.log10_p for e in estimates])
    stated = torch.tensor([e.log10_err for e in estimates]).square().mean().sqrt()
    assert 0.55 < float(stated / answers.std()) < 1.8
    bias = float(answers.mean()) - problem.truth.log10_p
    assert abs(bias) < 5 * float(answers.std()) / math.sqrt(40) + 0.01


@pytest.mark.parametrize("name", ["A_d10_1e-20", "D_mintree_1e-7"])
def test_subset_on_hard_problems(name):
    """Twenty decades, and four planes that must all be crossed (exact: Phi(-t)^4)."""
    held, _ = covered(wb.Subset(), wb.load(name), 100_000, 30)
    assert held >= cases.at_least(30, 0.90)


@pytest.mark.parametrize("name", ["C_digits_p1_s10", "C_digits_p8_s15", "C_digits_p22_s20"])
def test_subset_on_the_digits(name):
    """At 1e5 forwards within 3 of its own standard errors, that error under 0.1 digit."""
    problem = wb.load(name)
    estimate = wb.Subset()(problem, 100_000, 0)
    assert estimate.log10_err < 0.1
    gap = abs(estimate.log10_p - problem.truth.log10_p)
    assert gap < 3 * math.hypot(estimate.log10_err, problem.truth.se_log10)


@pytest.mark.parametrize("name", ["D_needle_1e-6", "D_ramp_1e-7"])
def test_subset_is_not_confidently_wrong_about_planted_triggers(name):
    """It climbs past them; then the bound of its plain draws, which does hold P, is told."""
    estimate = wb.Subset()(wb.load(name), 100_000, 0)
    assert "is not excluded" in estimate.warning and estimate.log10_interval[1] == 0.0


@pytest.mark.parametrize("budget", [1, 10, 150, 700, 2000])
def test_subset_with_tiny_budgets_claims_nothing(budget):
    """Where no repeat is finished, or just one, the interval is all of [0, 1]."""
    estimate = wb.Subset()(wb.load("A_d10_1e-12"), budget, 0)
    assert estimate.cost.forwards <= budget
    assert estimate.log_err == math.inf
    assert estimate.interval == (-math.inf, 0.0)
    assert estimate.info["repeats"] <= 1
