"""Baselines, the frontier, and D as a proposal: against half-spaces in closed form."""

import math

import pytest
import torch

import workbench as wb
from workbench.adversaries import BASELINES, KL, Adversary, baseline, families, sweep
from workbench.adversaries.baselines import (
    CrossEntropy,
    MarginAscent,
    RandomSearch,
    ScoreFunction,
    Shifting,
)
from workbench.iteration import equal, pack, run, steps, unpack
from workbench.math.gaussian import log_cdf

BETA = 4.753424  # of A_d10_1e-6


def best_log_p(nats):
    return float(log_cdf(torch.tensor(math.sqrt(2.0 * nats) - BETA, dtype=torch.float64)))


@pytest.mark.parametrize("search", [CrossEntropy(4.0), MarginAscent(4.0)])
def test_searches_that_see_margins_find_the_normal(search):
    found = baseline(wb.load("A_d10_1e-6"), search, 20_000)
    assert found.nats == pytest.approx(4.0)
    # Cross-entropy turns by its elites' noise: a few hundredths of a nat of 3.6.
    assert best_log_p(4.0) - 0.1 < float(found.checked.log_p) < best_log_p(4.0) + 0.1


def test_zero_one_reward_never_moves_where_nothing_fails():
    # 30,000 draws at P = 1e-12: a failure once in 3 * 10^7 seeds.
    search = ScoreFunction(4.0)
    problem = wb.load("A_d10_1e-12")
    state, _ = run(search, problem, search.init(problem, wb.Rng(0)), wb.Budget(30_000))
    assert state.forwards == 30_000
    assert float(state.shift.abs().max()) == 0.0
    assert search.report(problem, state, 0.0).nats == 0.0


def test_zero_one_reward_climbs_where_failures_are_common():
    found = baseline(wb.load("A_d10_1e-3"), ScoreFunction(1.0), 40_000)
    assert found.checked.log10_p > -2.3  # from -3; the best shift of a nat has 10^-1.8


def test_random_search_gets_better_and_is_no_gradient():
    found = baseline(wb.load("A_d10_1e-6"), RandomSearch(4.0), 40_000)
    assert -6.0 < found.checked.log10_p < best_log_p(4.0) / math.log(10.0) + 0.05


@pytest.mark.parametrize("cls", BASELINES)
def test_baselines_resume_bit_for_bit_and_keep_their_budget(cls):
    search, problem, budget = cls(2.0), wb.load("A_d10_1e-3"), wb.Budget(5100)
    straight, _ = run(search, problem, search.init(problem, wb.Rng(1)), budget)
    assert straight.forwards <= 5100
    state = search.init(problem, wb.Rng(1))
    state = next(iter(steps(search, problem, state, budget)))[0]
    again, _ = run(search, problem, unpack(Shifting, pack(state)), budget)
    assert equal(straight, again)


def test_frontier_of_a_sweep_rises_along_the_closed_form():
    adversary = Adversary(estimator=wb.Moments(), steps=12)
    points = list(sweep(wb.load("A_d10_1e-6"), adversary, [4.0, 1.0, 2.0], check=20_000))
    assert [p.nats for p in points] == pytest.approx([1.0, 2.0, 4.0])
    for point in points:
        exact = best_log_p(point.nats)
        assert point.log_p == pytest.approx(exact, rel=0.01)
        # 4.4 standard errors: one false alarm in 10^5.
        assert abs(float(point.checked.log_p) - exact) < 4.4 * point.checked.log_err
    costs = [p.cost.forwards for p in points]
    assert costs == sorted(costs) and costs[0] < costs[-1]


@pytest.mark.parametrize(
    "family", [families.Shifted(), families.LowRank(2), families.Mixture(2), families.Generator(4)]
)
def test_found_d_is_a_proposal_for_importance(family):
    problem = wb.load("A_d10_1e-6")
    adversary = Adversary(
        family=family, region=KL(8.0), estimator=wb.Conditioned(lines=48), steps=8
    )
    attack = adversary(problem, check=0)
    estimate = attack.as_proposal()(problem, 20_000, 3)
    assert estimate.kind is wb.Kind.UNBIASED and estimate.log10_err < 0.1
    # 4.4 standard errors: one false alarm in 10^5.
    assert abs(estimate.log10_p + 6.0) < 4.4 * estimate.log10_err
    assert estimate.cost.forwards <= 20_000


def test_a_proposal_from_one_way_to_fail_keeps_the_others():
    # A shift of 4 nats leads to one of the rivals; alone it would be 14% low without a sign.
    problem = wb.load("C_digits_p22_s20")
    attack = Adversary(region=KL(4.0), estimator=wb.Moments(), steps=6)(problem, check=0)
    estimate = attack.as_proposal()(problem, 40_000, 3)
    error = math.hypot(estimate.log10_err, problem.truth.se_log10)
    assert error < 0.02 and not estimate.warning
    assert abs(estimate.log10_p - problem.truth.log10_p) < 4.4 * error  # chance: 1 in 10^5
    assert len(estimate.info["modes"]) > 2
