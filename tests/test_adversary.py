"""The adversary against closed forms: half-spaces under a shift, and the price of a nat."""

import math
from dataclasses import replace

import pytest
import torch

import workbench as wb
from workbench.adversaries import KL, Adversary, Ball, Cube, Penalty, families, optimisers
from workbench.adversaries.adversary import Search
from workbench.adversaries.climb import Climb, Slopes
from workbench.adversaries.divergence import Nats
from workbench.adversaries.families import low_rank
from workbench.errors import NotConverged
from workbench.iteration import equal, pack, run, steps, unpack
from workbench.math.gaussian import log_cdf

LN10 = math.log(10.0)
LINEAR = ("A_d10_1e-3", "A_d10_1e-12", "A_d100_1e-6")


def beta_of(problem):
    """The reliability index of a linear problem, from its exact P."""
    target = torch.tensor(problem.truth.log_p, dtype=torch.float64)
    low, high = 0.0, 40.0
    for _ in range(80):
        mid = 0.5 * (low + high)
        above = float(log_cdf(torch.tensor(-mid, dtype=torch.float64))) > float(target)
        low, high = (mid, high) if above else (low, mid)
    return low


def best_log_p(beta, nats):
    """log Phi(sqrt(2 nats) - beta): the most that a shift of so many nats can do."""
    return float(log_cdf(torch.tensor(math.sqrt(2.0 * nats) - beta, dtype=torch.float64)))


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("nats", [1.0, 8.0])
def test_linear_optimum_is_found_within_a_percent_of_log_p(name, nats):
    problem = wb.load(name)
    attack = Adversary(region=KL(nats))(problem, rng=1)
    exact = best_log_p(beta_of(problem), nats)
    assert attack.nats == pytest.approx(nats, rel=1e-6)
    assert attack.log_p == pytest.approx(exact, rel=0.01)
    # The check is an unbiased sampler: 4.4 standard errors, one false alarm in 10^5.
    assert attack.checked.kind is wb.Kind.UNBIASED
    assert abs(float(attack.checked.log_p) - exact) < 4.4 * attack.checked.log_err


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop", "momentum"])
def test_every_optimiser_ends_at_the_linear_optimum(optimiser):
    problem = wb.load("A_d10_1e-6")
    rate = {"adam": 0.2, "rmsprop": 0.05, "momentum": 0.05}[optimiser]
    adversary = Adversary(
        region=KL(2.0), optimiser=optimiser, rate=rate, steps=120, patience=120,
        estimator=wb.Moments(),
    )  # fmt: skip
    attack = adversary(problem, check=0)
    assert attack.nats == pytest.approx(2.0, rel=1e-6)
    assert attack.log_p == pytest.approx(best_log_p(beta_of(problem), 2.0), rel=0.01)


def test_price_of_a_nat_is_the_slope_of_the_frontier():
    # d/dk log Phi(sqrt(2k) - beta) = hazard / sqrt(2k), by central differences here.
    problem, k, h = wb.load("A_d10_1e-6"), 2.0, 1e-4
    beta = beta_of(problem)
    slope = (best_log_p(beta, k + h) - best_log_p(beta, k - h)) / (2 * h)
    attack = Adversary(region=KL(k), estimator=wb.Moments())(problem, check=0)
    assert attack.found.price == pytest.approx(slope, rel=1e-4)


def test_penalty_ends_where_a_nat_brings_its_cost():
    problem = wb.load("A_d10_1e-6")
    attack = Adversary(region=Penalty(2.0), estimator=wb.Moments(), steps=80)(problem, check=0)
    beta, h = beta_of(problem), 1e-4
    slope = (best_log_p(beta, attack.nats + h) - best_log_p(beta, attack.nats - h)) / (2 * h)
    assert slope == pytest.approx(2.0, rel=1e-3)


def test_ball_of_a_shift_is_kl_of_half_its_square():
    problem = wb.load("A_d10_1e-6")
    attack = Adversary(region=Ball(3.0), estimator=wb.Moments())(problem, check=0)
    assert attack.nats == pytest.approx(4.5, rel=1e-6)
    assert attack.log_p == pytest.approx(best_log_p(beta_of(problem), 4.5), rel=0.01)


@pytest.mark.parametrize("estimator", [wb.Moments(), wb.Conditioned()])
def test_linear_optimum_in_a_box_is_its_corner(estimator):
    # max w.m over |m_i| <= h is h |w|_1, at m = h sign(w): log P = log Phi(h |w|_1 / |w| - beta).
    problem, h = wb.load("A_d10_1e-6"), 0.4
    at = torch.zeros(1, 10, dtype=torch.float64, requires_grad=True)
    (normal,) = torch.autograd.grad(problem.margin_of_noise(at).sum(), at)
    attack = Adversary(region=Cube(h), estimator=estimator, steps=12)(problem, rng=2)
    shift = problem.distribution.pull(attack.distribution.mean[None])[0]
    assert torch.allclose(shift, h * torch.sign(normal[0]), atol=1e-12)
    reach = h * float(normal.abs().sum() / normal.norm())
    exact = float(log_cdf(torch.tensor(reach - beta_of(problem), dtype=torch.float64)))
    assert attack.log_p == pytest.approx(exact, rel=1e-3)
    assert attack.nats == pytest.approx(0.5 * 10 * h * h, rel=1e-9)
    assert abs(float(attack.checked.log_p) - exact) < 4.4 * attack.checked.log_err


def test_box_on_a_network_is_kept_and_helps():
    problem = wb.load("C_digits_p1_s10")
    attack = Adversary(region=Cube(0.3), steps=10)(problem, rng=1, check=20_000)
    shift = problem.distribution.pull(attack.distribution.mean[None])[0]
    assert float(shift.abs().max()) <= 0.3 + 1e-12
    assert attack.checked.log10_p > attack.log10_p_reference + 2.0 and not attack.warning
    with pytest.raises(wb.Unsupported, match="the mean alone"):
        Adversary(family=families.LowRank(), region=Cube())(problem)


def test_frontier_rises_and_ends_at_what_was_found():
    attack = Adversary(region=KL(8.0), estimator=wb.Moments())(wb.load("A_d10_1e-6"), check=0)
    nats, log_p = zip(*attack.frontier(), strict=True)
    assert len(nats) > 10
    assert list(nats) == sorted(nats) and list(log_p) == sorted(log_p)
    assert log_p[0] == pytest.approx(attack.found.reference) and nats[0] == 0.0
    assert log_p[-1] == pytest.approx(attack.log_p)
    beta = beta_of(attack.problem)
    for k, value in attack.frontier()[1:]:
        assert value <= best_log_p(beta, k) + 1e-6  # nothing beats the optimum


def test_bound_holds_and_is_told_only_after_a_check():
    problem = wb.load("A_d10_1e-3")
    unchecked = Adversary(region=KL(8.0))(problem, check=0)
    assert unchecked.bound_lower == -math.inf and "not checked" in unchecked.warning
    checked = unchecked.check(wb.Rng(5))
    assert -12 * LN10 < checked.bound_lower < problem.truth.log_p
    assert checked.warning == ""


def resumed(adversary, problem, stop):
    """The states of a straight run, and of one that was saved and loaded after `stop` steps."""
    budget = wb.Budget(10**7)
    straight, _ = run(adversary, problem, adversary.init(problem, wb.Rng(3)), budget)
    state = adversary.init(problem, wb.Rng(3))
    for k, (latest, _) in enumerate(steps(adversary, problem, state, budget)):
        state = latest
        if k + 1 == stop:
            break
    again, _ = run(adversary, problem, unpack(Search, pack(state)), budget)
    return straight, again


@pytest.mark.parametrize("optimiser", ["natural", "adam"])
@pytest.mark.parametrize("stop", [1, 4])
def test_resumed_search_equals_the_straight_one_bit_for_bit(optimiser, stop):
    adversary = Adversary(
        region=KL(2.0), estimator=wb.Conditioned(lines=48), optimiser=optimiser, steps=4,
        restarts=2,
    )  # fmt: skip
    straight, again = resumed(adversary, wb.load("A_d10_1e-6"), stop)
    assert straight.restart == 2  # no restart is left
    assert equal(straight, again)


def test_steps_that_lose_at_the_full_limit_halve_those_that_follow():
    """Natural steps alone, of this restart, and no step that loses little."""
    problem, search = wb.load("A_d10_1e-6"), Adversary(region=KL(2.0), estimator=wb.Moments())
    rows = [
        [0.0, 2.0, -3.0, 1.0], [0.0, 2.0, -9.0, 1.0],  # of another restart
        [1.0, 0.5, -3.0, 1.0], [1.0, 2.0, -4.0, 1.0],  # before the limit was reached
        [1.0, 2.0, -2.0, 1.0], [1.0, 2.0, -2.2, 1.0], [1.0, 2.0, -3.0, 1.0],
        [1.0, 2.0, -2.0, 1.0], [1.0, 2.0, -2.3, 1.0],
    ]  # fmt: skip
    state = search.init(problem, wb.Rng(0))
    state = replace(state, restart=1, path=torch.tensor(rows, dtype=torch.float64))
    assert search._swings(state) == 2

    def stride(halvings, optimiser="natural"):
        climb = Climb(search.family, Penalty(1.0), optimiser, None, halvings)
        gain = torch.ones_like(state.theta)
        moments = optimisers.none_yet(optimiser, state.theta)
        begun = replace(state, moments=moments)
        after = climb.moved(
            begun, lambda theta: Nats(theta.sum()), Slopes(gain, 0 * gain, 0.0), 1, 0
        )
        return after.theta - state.theta

    assert torch.allclose(stride(2), stride(0) / 4)
    assert torch.equal(stride(2, "adam"), stride(0, "adam"))


def test_budget_is_kept():
    problem, adversary = wb.load("digits"), Adversary()
    state, _ = run(adversary, problem, adversary.init(problem, wb.Rng(0)), wb.Budget(8000))
    assert 0 < state.forwards <= 8000 and len(state.path)


def test_estimate_and_check_that_part_are_told():
    # Covariance propagation alone is digits too low in the tail of a random network.
    problem = wb.load("B_w32_h4_1e-8")
    found = Adversary(region=KL(0.5), estimator=wb.Moments())(problem)
    assert abs(found.log10_p - found.checked.log10_p) > 0.5
    assert "believe the check" in found.warning


def test_bad_settings_are_told_in_a_sentence():
    with pytest.raises(wb.BadInput, match="unknown optimiser 'newton'"):
        Adversary(optimiser="newton")
    with pytest.raises(wb.BadInput, match="nats must be a number above 0"):
        KL(-1.0)
    with pytest.raises(wb.Unsupported, match="gradient"):
        Adversary(estimator=wb.MonteCarlo())(wb.load("A_d10_1e-3"))


def test_family_refuses_a_reference_that_it_cannot_move():
    one = torch.ones(2, dtype=torch.float64)
    model = torch.nn.Linear(2, 2, dtype=torch.float64)
    normal = torch.tensor([1.0, -1.0], dtype=torch.float64)
    problem = wb.Problem(wb.Box(-one, one), model, wb.Halfspace(normal, 0.0))
    with pytest.raises(wb.Unsupported, match="a gaussian D0 is needed"):
        Adversary().init(problem, wb.Rng(0))


@pytest.mark.parametrize("sampler, loss", [(wb.Importance(), 0.15), (wb.Subset(500), 0.6)])
def test_score_function_over_a_sampler_s_failures_nears_the_linear_optimum(sampler, loss):
    problem = wb.load("A_d10_1e-6")
    found = Adversary(region=KL(2.0), estimator=sampler, steps=12, rate=1.0)(problem, check=20_000)
    exact = best_log_p(beta_of(problem), 2.0)
    assert found.nats == pytest.approx(2.0, rel=1e-6)
    # Of the 8 nats between -13.8 and -5.8. The direction is off by the failures' noise: of n that
    # count, in 9 directions, the shift of length 2 turns by about 3 / (2.8 sqrt(n)), which costs
    # 2.8 * 2 * turn^2 / 2: 0.03 nats at n = 100, more where chains are alike.
    assert exact - loss < float(found.checked.log_p) < exact + 4.4 * found.checked.log_err


def test_a_map_that_becomes_singular_ends_its_restart(monkeypatch):
    """Wherever it does: as log P is asked for, as D's nats are counted, on the way to the edge."""
    whole, refused = low_rank._LowRank.forward, []

    def forward(self):
        if float(self.shift.detach().norm()) > 1.0:
            refused.append(self.shift)
            raise NotConverged("singular")
        return whole(self)

    monkeypatch.setattr(low_rank._LowRank, "forward", forward)
    search = Adversary(families.LowRank(), KL(2.0), wb.Moments(), restarts=2, steps=20)
    found = search(wb.load("A_d10_1e-6"), check=0)
    assert refused
    assert found.log10_p_reference < found.log10_p < 0.0
    assert float(found.nats) < 2.0
