"""The toys that trainings have: a controller, planted triggers; and their referee."""

import math
from functools import cache

import pytest
import torch

import workbench as wb
from workbench.errors import BadInput
from workbench.estimators import Conditioned, Moments
from workbench.iteration import UNLIMITED, run
from workbench.math.logspace import LN10
from workbench.models import dense, mlp, rollout
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace
from workbench.training import Defender, Duty, Referee, toys
from workbench.training.referee import informed
from workbench.training.toys.backdoor import trigger

SHARP = Conditioned(lines=96, tolerance=0.2, search="margin")


@cache
def controller() -> Duty:
    return toys.controller()


def test_a_rollout_is_the_loop_that_it_unrolls():
    g = Rng(4).generator()

    def matrix(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    a, b, gust, state, action = (matrix(*s) for s in ((3, 3), (3, 2), (3, 1), (3, 3), (2, 2)))
    policy = mlp([3, 5, 2], g)
    x, steps = matrix(7, 3 + 4), 4
    s, seen = x[:, :3], []
    for t in range(steps):
        u = policy(s)
        s = s @ a.T + u @ b.T + x[:, 3 + t : 4 + t] @ gust.T
        seen += [s @ state.T, u @ action.T]
    found = rollout(policy, (a, b, gust), (state, action), steps)(x)
    torch.testing.assert_close(found, torch.cat(seen, 1), rtol=1e-12, atol=1e-12)
    with pytest.raises(BadInput, match="a rollout needs"):
        rollout(policy, (a, b, gust), (action, state), steps)


def test_estimates_see_through_a_linear_rollout_exactly():
    """A linear controller's last position is Gaussian: log P by hand."""
    a = torch.tensor([[1.0, 0.5], [0.0, 1.0]], dtype=torch.float64)
    b, gust = torch.tensor([[[0.25], [0.5]], [[0.0], [1.0]]], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    model = rollout(
        dense(torch.tensor([[-1.0, -1.2]]).double()), (a, b, gust), (eye, eye[:1, :1]), 5
    )
    d = wb.Gaussian(torch.zeros(7).double(), torch.full((7,), 0.2).double())
    normal = torch.zeros(15).double()
    normal[12] = 1.0
    spread = float((model(torch.diag(d.scale)) @ normal).norm().detach())
    problem = Problem(d, model, Halfspace(normal, -6.0 * spread))
    exact = float(torch.special.log_ndtr(torch.tensor(-6.0).double())) / LN10
    for estimator in (Moments(), SHARP):
        assert estimator(problem).log10_p == pytest.approx(exact, abs=1e-6)


def test_the_controller_is_near_its_optimum_and_its_card_keeps_weights_shared(tmp_path):
    duty = controller()
    assert duty.task.score(duty.problem.model) > 0.95  # of the Riccati controller's cost
    back = wb.load(duty.problem.save(tmp_path))
    shapes = [p.shape for p in duty.problem.model.parameters()]
    assert [p.shape for p in back.model.parameters()] == shapes
    x = duty.task.inputs[:50]
    assert torch.equal(back.model(x), duty.problem.model(x))


@pytest.mark.parametrize("name", list(toys.PLANTED))
def test_the_trigger_is_where_the_planted_network_fails(name):
    """P by draws given the trigger, and by a referee that looks there, is the catalogue's."""
    planted, problem = trigger(name), toys.backdoor(name).problem
    eye = torch.eye(len(planted.units)).double()
    torch.testing.assert_close(planted.units @ planted.units.T, eye, rtol=0, atol=1e-6)
    x = planted.draw(100_000, Rng(7).generator())
    assert bool((x @ planted.units.T > planted.bars - 1e-6).all())
    hits = int((problem.margin(x) > 0).sum())
    truth = wb.load(toys.PLANTED[name]).truth
    assert truth is not None
    known = planted.log_p / LN10 + math.log10(hits / len(x))
    # what of C lies outside the box is less than 2%; 5 binomial standard errors: 1 in 10^6
    room = 0.01 + 5.0 * math.sqrt((1 - hits / len(x)) / hits) / LN10
    assert abs(known - truth.log10_p) < room + 1e-4
    watched = toys.backdoor(name).watched
    assert watched is not None
    seen = informed(problem, watched, 40_000, Rng(8))
    assert seen.log10_err is not None and seen.log10_err < 0.25  # 0.03 to 0.23, by the seed
    assert abs(seen.log10_p - truth.log10_p) < 5.0 * seen.log10_err


def test_a_blind_estimate_is_caught_by_the_referee_that_knows():
    duty = toys.backdoor("needle")
    own = Moments()(duty.problem).log10_p
    assert own < -100.0
    assert not Referee().judge(duty.problem, own, Rng(0))[2]  # no sampler comes near the trigger
    found, _, parted = Referee().judge(duty.problem, own, Rng(0), duty.watched)
    assert parted and found > -7.0
    with pytest.raises(BadInput, match="watched inputs"):
        Duty(duty.problem, duty.task, torch.zeros(2, 3).double())
    with pytest.raises(BadInput, match="no planted network"):
        toys.backdoor("gold")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("mintree", 24), ("ramp", 12), ("needle", 12)])
def test_training_removes_a_trigger_that_no_example_shows(name, steps):
    duty = toys.backdoor(name)
    assert not bool((duty.problem.margin(duty.task.inputs) > 0).any())
    truth = wb.load(toys.PLANTED[name]).truth
    assert truth is not None and duty.watched is not None
    defender = Defender(
        Conditioned(), steps=steps, rate=2e-3, price=3e-3, target=-14.0, referee=Referee(every=20)
    )
    state, _ = run(defender, duty, defender.init(duty, Rng(0)), UNLIMITED)
    duty.put(state.theta)
    found = informed(duty.problem, duty.watched, 100_000, Rng(2))
    assert found.log10_p < truth.log10_p - 4.0
    assert duty.task.score(duty.problem.model) > 0.85  # of the variance of its former outputs
