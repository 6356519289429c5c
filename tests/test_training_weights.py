"""What P weighs in the loss, and gradients by samples."""

import math
from dataclasses import replace

import pytest
import torch

import workbench as wb
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Importance, Moments, MonteCarlo
from workbench.iteration import UNLIMITED, Budget, run
from workbench.math.gaussian import log_cdf
from workbench.models import chain, dense
from workbench.rng import Rng
from workbench.specs import Halfspace
from workbench.training import Defender, Referee, Task, toys, weight
from workbench.training.sampled import log_p_and_sampled_grad


def linear(beta=5.0):
    """s = a.x + b with P = Phi(-beta), and the exact gradient of log P in a and b."""
    g = Rng(3).generator()
    a = torch.randn(1, 6, generator=g, dtype=torch.float64)
    model = chain([dense(a, -beta * a.norm()[None])])
    d = wb.Gaussian(torch.zeros(6).double(), torch.ones(6).double())
    problem = wb.Problem(d, model, Halfspace(torch.ones(1).double()))
    w, b = parameters = list(model.parameters())
    exact = torch.autograd.grad(log_cdf(b[0] / w.norm()), parameters)
    return problem, parameters, torch.cat([e.flatten() for e in exact])


@pytest.mark.parametrize("way", ["score", "importance"])
def test_sampled_gradients_are_the_exact_ones_on_a_linear_problem(way):
    problem, parameters, exact = linear()
    sampler, found = Importance(scouts=False), []
    for seed in range(24):
        _, grads = log_p_and_sampled_grad(
            problem, sampler, way, parameters, Budget(3000), Rng(seed), blur=0.1
        )
        found.append(torch.cat([g.flatten() for g in grads]))
    drawn = torch.stack(found)
    err = drawn.std(0) / math.sqrt(len(drawn))
    # a tenth of the margin of failures as blur moves log P by 0.005, and its gradient by about 1%;
    # t with 23 degrees of freedom beyond 5.5, 7 components, 2 ways: 2 in 10^4
    assert bool(((drawn.mean(0) - exact).abs() < 5.5 * err + 0.01 * exact.abs()).all())


def test_sampled_gradients_refuse_what_they_cannot_follow():
    problem, parameters, _ = linear()
    with pytest.raises(BadInput, match="score or importance"):
        log_p_and_sampled_grad(problem, Importance(), "luck", parameters, Budget(100), Rng(0))
    with pytest.raises(Unsupported, match="failures from 'monte_carlo'"):
        log_p_and_sampled_grad(problem, MonteCarlo(), "score", parameters, Budget(100), Rng(0))
    with pytest.raises(Unsupported, match="importance"):
        Defender(Importance())
    with pytest.raises(BadInput, match="gradient must be one of"):
        Defender(gradient="luck")


@pytest.mark.parametrize("way", ["score", "importance"])
def test_a_training_by_samples_lowers_p(way):
    duty = toys.plane()
    start = Referee().judge(duty.problem, -4.0, Rng(1))
    defender = Defender(
        Importance(scouts=False), gradient=way, draws=1500, steps=8, rate=5e-3, price=0.02,
        target=None, referee=Referee(100), ladder=(),
    )  # fmt: skip
    state, _ = run(defender, duty, defender.init(duty, Rng(0)), UNLIMITED)
    found, err, _ = map(float, state.verdicts[-1, 3:6])
    assert found + 4.0 * err < start[0] - 4.0 * start[1] - 0.5


def test_the_price_follows_the_target_or_the_task():
    assert weight.towards_target(0.5, 0.1, -6.0, -8.0) == pytest.approx(0.7)
    assert weight.towards_target(0.1, 0.1, -10.0, -8.0) == 0.0
    assert weight.towards_target(0.5, 0.1, -math.inf, -8.0) == pytest.approx(0.4)
    now, after = weight.within_allowance(1.0, 0.0, 0.01)
    assert now > after > 1.0
    now, after = weight.within_allowance(1.0, 1.0, 0.01)
    assert 0.0 < now < after < 1.0


def test_a_training_keeps_within_what_may_be_lost_of_its_task():
    """Without a constraint the same price costs the task far more than it may."""
    duty = toys.regression()
    start = duty.task.score(duty.problem.model, held_out=False)
    free = Defender(
        Moments(), steps=40, price=0.03, target=None, referee=Referee(100), ladder=(), rate=3e-3
    )
    held = replace(free, allowance=0.01)
    lost = []
    for defender in (free, held):
        mine = duty.fresh()
        state, _ = run(defender, mine, defender.init(mine, Rng(0)), UNLIMITED)
        mine.put(state.theta)
        lost.append(start - mine.task.score(mine.problem.model, held_out=False))
        assert float(state.rows[-1, 3]) < float(state.rows[0, 3]) - 0.5
    assert lost[0] > 0.1
    assert lost[1] < 0.0125  # what is kept in expectation, by steps of finite size


def test_cost_is_a_loss_of_its_own():
    y = torch.tensor([[1.0, 2.0], [0.0, 1.0]]).double()
    task = Task(y, y, (y, 0.5 * y), "cost")
    same = chain([dense(torch.eye(2).double())])
    assert float(task.error(same).detach()) == pytest.approx(3.0)
    assert task.score(same) == pytest.approx(0.25) and task.score(same, False) == 1.0
    assert task.lost(1.0, 0.8) == pytest.approx(0.25)
    assert Task(y, y, (y, y), "mse").lost(1.0, 0.8) == pytest.approx(0.2)
    for wrong in ({"allowance": 0.0}, {"allowance": 0.01, "price": 0.0}):
        with pytest.raises(BadInput, match="allowance"):
            Defender(**wrong)
