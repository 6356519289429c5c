"""The Gaussian with the moments of D0 given C, against closed forms and its own bound."""

import math

import pytest
import torch
from scipy.stats import norm

import workbench as wb
from workbench.adversaries import matched
from workbench.adversaries.families import LowRank
from workbench.adversaries.families.base import at, flat, no_points
from workbench.anomaly.reporters import reporters


def test_it_has_the_moments_of_the_tail():
    problem = wb.load("A_d10_1e-6")
    attack = matched(problem, nats=20.0, rounds=1)
    bar = norm.isf(1e-6)
    m = norm.pdf(bar) / 1e-6  # E[t | t > bar]; Var = 1 + bar m - m^2
    var = 1 + bar * m - m * m
    exact = 0.5 * (m * m + var - 1 - math.log(var))
    assert attack.nats == pytest.approx(exact, rel=0.05)  # other directions are drawn, not exact
    assert attack.nats <= -math.log(1e-6)
    assert attack.log10_p == pytest.approx(norm.logsf((bar - m) / var**0.5) / math.log(10), abs=0.1)
    assert not attack.check(wb.Rng(1)).warning


def test_it_keeps_within_the_nats():
    attack = matched(wb.load("A_d10_1e-6"), nats=2.0)
    assert attack.nats == pytest.approx(2.0, abs=1e-6) and attack.nats <= 2.0 + 1e-9
    assert -6.0 < attack.log10_p < -2.53  # what a shift of 2 nats has
    with pytest.raises(wb.BadInput, match="above 0"):
        matched(wb.load("A_d10_1e-6"), nats=0.0)
    with pytest.raises(wb.BadInput, match="from 1 on"):
        matched(wb.load("A_d10_1e-6"), rounds=0)
    with pytest.raises(wb.Unsupported, match="gaussian"):
        matched(wb.load("T_char1_any_1e-5"))


def test_a_round_that_is_not_cut_short_does_not_lower_p():
    """On one half-space every round's law is known: a Gaussian along the normal, cut at the bar."""
    problem = wb.load("A_d10_1e-6")
    bar = norm.isf(1e-6)
    m, s = 0.0, 1.0
    for rounds in (1, 2, 3):
        far = (bar - m) / s
        mills = norm.pdf(far) / norm.sf(far)
        m, s = m + s * mills, s * math.sqrt(1 + far * mills - mills * mills)
        attack = matched(problem, nats=100.0, rounds=rounds)
        exact = norm.logsf((bar - m) / s) / math.log(10)
        assert attack.log10_p == pytest.approx(exact, abs=0.03)
        assert attack.info["rounds"] == rounds


@pytest.mark.parametrize("seed", [3, 7])
def test_reporters_on_which_a_shift_fails_part_too(seed):
    problem = reporters(seed).problem
    attack = matched(problem, rng=seed).check(wb.Rng(1))
    assert attack.nats <= 8.0 + 1e-9
    assert attack.checked.interval[0] > math.log(0.6) and not attack.warning


def test_a_map_that_became_singular_ends_in_a_sentence():
    d = wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double())
    module = LowRank(rank=1).module(d, wb.Rng(0), no_points(d))
    with torch.no_grad():
        module.b.copy_(-module.a)  # I - a a^T
    with pytest.raises(wb.NotConverged, match="singular"):
        at(module, flat(module))
