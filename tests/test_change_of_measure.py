"""The change-of-measure lower bound: sound by exact entropies, sharp on half-spaces."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

import workbench as wb
from workbench.estimators.change_of_measure import _draw, _relative_entropy, bound

HALFSPACE = 0.0


def state(problem, shift, scale):
    """A choice of D along the first axis of noise."""
    made = wb.ChangeOfMeasure().init(problem, wb.Rng(0))
    unit = torch.zeros_like(made.direction)
    unit[0] = 1.0
    return type(made)(rng=made.rng, direction=unit, shift=shift, scale=scale)


@pytest.mark.parametrize("shift, scale", [(2.0, 1.0), (3.0, 0.25), (0.0, 1.0)])
def test_relative_entropy_of_a_shifted_gaussian_by_quadrature(shift, scale):
    found = _relative_entropy(state(wb.load("A_d10_1e-3"), shift, scale))
    law = norm(shift, scale)
    truth, _ = quad(
        lambda x: law.pdf(x) * (law.logpdf(x) - norm.logpdf(x)), -10, 14, points=[shift]
    )
    assert found == pytest.approx(truth, abs=1e-8)


@pytest.mark.parametrize("shift", [0.5, 4.0, 7.0])
def test_draws_are_from_the_chosen_law(shift):
    """Means along the axis and across it, within 5 standard errors (false alarms below 1e-6)."""
    problem, n = wb.load("A_d10_1e-3"), 40_000
    for scale in (0.25, HALFSPACE):
        z = _draw(problem, state(problem, shift, scale), n, torch.Generator().manual_seed(1))
        along = z[:, 0]
        mean = shift if scale else math.exp(norm.logpdf(shift) - norm.logsf(shift))
        spread = scale or 1.0
        assert abs(float(along.mean()) - mean) < 5.0 * spread / n**0.5
        assert scale or float(along.min()) >= shift - 1e-9
        assert float(z[:, 1:].mean(0).abs().max()) < 5.0 / n**0.5


@pytest.mark.parametrize("beta", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (3.0, 1.0), (5.0, 0.3), (6.5, 0.25)])
def test_the_inequality_holds_on_half_spaces(beta, shift, scale):
    """P = Phi(-beta), p = Phi((shift - beta) / scale): both exact."""
    entropy = _relative_entropy(state(wb.load("A_d10_1e-3"), shift, scale))
    p = norm.cdf((shift - beta) / scale)
    assert bound(entropy, p) <= norm.logsf(beta) + 1e-12


def test_it_is_an_equality_at_d_given_c():
    entropy = _relative_entropy(state(wb.load("A_d10_1e-3"), 5.0, HALFSPACE))
    assert bound(entropy, 1.0) == pytest.approx(norm.logsf(5.0), rel=1e-12)


def test_it_rises_with_p():
    values = [bound(3.0, p) for p in (0.0, 1e-9, 1e-3, 0.1, 0.5, 0.9, 0.999, 1.0)]
    assert values == sorted(values)


@pytest.mark.parametrize("name", ["B_w32_h2_1e-5", "C_digits_p1_s10", "B_w32_h4_1e-3", "digits"])
def test_it_lies_below_the_truth_and_is_not_vacuous(name):
    """With 97.5% confidence by itself; here it is digits below, so no false alarm is to be seen."""
    problem = wb.load(name)
    for seed in range(3):
        found = wb.ChangeOfMeasure()(problem, 20_000, seed)
        assert found.kind is wb.Kind.LOWER and not found.warning
        assert -3.0 * abs(problem.truth.log10_p) < found.log10_p < problem.truth.log10_p


def test_where_nothing_is_found_it_says_so():
    found = wb.ChangeOfMeasure()(wb.load("D_needle_1e-6"), 20_000, 0)
    assert found.log10_p == -math.inf and found.warning.startswith("vacuous")
