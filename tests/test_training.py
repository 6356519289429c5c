"""Training against log P: the loop, its referee, its state."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from workbench.adversaries import KL, Adversary
from workbench.errors import BadInput, Unsupported
from workbench.estimators import Moments, MonteCarlo
from workbench.iteration import Budget, equal, pack, run, unpack
from workbench.rng import Rng
from workbench.training import Defender, Duty, Referee, Task, Training, toys

ROOM = Budget(None, 600.0)


@cache
def _toy() -> Duty:
    return toys.regression()


def _fresh() -> Duty:
    return Duty(_toy().problem, _toy().task)


def test_the_toy_starts_at_one_in_ten_thousand():
    p = MonteCarlo()(_toy().problem, 1 << 18, Rng(5)).log10_p
    # the bar is a quantile of 26 draws and failures are seen about 26 times: 0.28 relative, 4 sigma
    assert abs(p + 4.0) < math.log10(1 + 4 * 0.28)


def test_training_leaves_what_it_was_given_alone():
    before = _toy().theta.clone()
    duty, defender = _fresh(), Defender(steps=1)
    run(defender, duty, defender.init(duty, Rng(0)), ROOM)
    assert torch.equal(_toy().theta, before)


def test_mean_propagation_is_exploited_and_the_ladder_is_climbed():
    referee = Referee(every=8)
    cheap = Defender(Moments(propagator="mean"), steps=24, referee=referee, ladder=(), then="stop")
    duty = _fresh()
    state, _ = run(cheap, duty, cheap.init(duty, Rng(0)), ROOM)
    seen = cheap.read(state)
    assert seen.exploited
    assert state.stopped
    assert any(abs(v["log10_p"] - v["log10_p_referee"]) > 1.0 for v in seen.judged())
    higher = replace(cheap, ladder=(Moments(),), then="go on", steps=9)
    duty = _fresh()
    state, _ = run(higher, duty, higher.init(duty, Rng(0)), ROOM)
    assert state.rung == 1
    assert state.ticks == 9


def test_a_training_resumes_bit_for_bit_with_its_adversary():
    adversary = Adversary(region=KL(2.0), estimator=Moments(), steps=3, restarts=1)
    defender = Defender(Moments(), adversary, steps=4, renew=2, referee=Referee(every=2, budget=64))
    duty = _fresh()
    whole, _ = run(defender, duty, defender.init(duty, Rng(3)), ROOM)
    state = defender.init(_fresh(), Rng(3))
    while not defender.finished(state):
        state = unpack(Training, pack(defender.step(_fresh(), state)))
    assert equal(state, replace(whole, limit=state.limit, steps=0))
    assert len(defender.read(state).met) == 2
    assert not math.isnan(defender.read(state).table()[-1]["log10_p_adversary"])


def test_the_last_row_is_of_the_model_that_is_returned_and_a_longer_training_writes_none_twice():
    duty, short = _fresh(), Defender(Moments(), steps=2, referee=Referee(every=2, budget=64))
    state, _ = run(short, duty, short.init(duty, Rng(3)), ROOM)
    made, last = duty.trained(state.theta), short.read(state).table()[-1]
    assert (last["step"], last["score"]) == (2, duty.task.score(made.model))
    assert last["log10_p"] == pytest.approx(Moments()(made).log10_p, abs=1e-12)
    longer = replace(short, steps=3)
    rows = longer.read(longer.step(duty, state)).table()
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert rows[2]["loss"] == last["loss"] and rows[2]["score"] == last["score"]
    assert rows[2]["log10_p"] == pytest.approx(last["log10_p"], abs=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"rate": -1.0}, {"target": 0.5}, {"replay": -1}, {"then": "hope"}],
)
def test_bad_settings_are_refused(wrong: dict[str, object]):
    with pytest.raises(BadInput):
        Defender(**wrong)  # pyright: ignore[reportArgumentType]


def test_an_estimator_without_gradient_is_refused():
    with pytest.raises(Unsupported):
        Defender(MonteCarlo())


def test_a_task_that_does_not_fit_is_refused():
    x = torch.zeros(4, 3, dtype=torch.float64)
    with pytest.raises(BadInput, match="does not fit the task"):
        y = torch.arange(4, dtype=torch.float64)[:, None]
        Duty(_toy().problem, Task(x, y, (x, y), "mse"))
    with pytest.raises(BadInput, match="do not fit the loss"):
        Task(x, x[:, 0].long(), (x, x[:, 0].long()), "mse")
