"""Rules of minibatch training do what they say; the trainer resumes, and is judged."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy, softplus

import workbench as wb
from workbench.experiments import Run
from workbench.experiments.kinds import lesson
from workbench.iteration import UNLIMITED, pack, run, unpack
from workbench.math.gaussian import log_cdf
from workbench.models import dense, mlp
from workbench.training import Duty, Referee, Task
from workbench.training.baselines import PGD, Noise, Plain, Sampled, SmoothAdv, Trades
from workbench.training.baselines.pgd import climb
from workbench.training.pointwise import Pointwise
from workbench.training.rule import Batch, sigma_of
from workbench.training.trainer import Drilled, Trainer

SIGMA = 0.3


def duty(model: torch.nn.Module | None = None) -> Duty:
    """Two classes in three dimensions; C: a point of class 1 is read as 0."""
    g = torch.Generator().manual_seed(3)
    x = torch.randn(24, 3, generator=g)
    y = (x[:, 0] + 0.3 * x[:, 1] > 0).long()
    x = x + 0.7 * torch.tensor([1.0, 0.3, 0.0]) * (2.0 * y[:, None] - 1.0)
    scale = torch.full((3,), SIGMA)
    d = wb.Mixture(
        torch.ones(int(y.sum())), tuple(wb.Gaussian(v.clone(), scale) for v in x[y == 1])
    )
    model = model or mlp([3, 8, 2], g)
    return Duty(wb.Problem(d, model, wb.Argmax(0, "wins")), Task(x, y, (x, y)))


def batch(of: Duty, share: float = 0.5) -> Batch:
    return Batch(of, of.task.inputs, of.task.targets, wb.Rng(4), share)


def linear() -> Duty:
    g = torch.Generator().manual_seed(5)
    return duty(dense(torch.randn(2, 3, generator=g), torch.randn(2, generator=g)))


def test_climb_ends_on_the_ball_where_a_linear_function_is_highest():
    a, x = torch.tensor([3.0, 0.0, -4.0]), torch.randn(5, 3, generator=torch.Generator())
    worst = climb(lambda at: (at @ a).sum(), x, 0.1 * torch.ones_like(x), 0.7, 40)
    assert float(((worst - x) @ a).min()) > 0.98 * 0.7 * 5.0
    assert float((worst - x).norm(dim=1).max()) <= 0.7 + 1e-12


def test_pgd_on_a_linear_classifier_is_its_closed_form():
    """The worst point of the ball lowers the gap of the logits by radius |w_y - w_other|."""
    of = linear()
    weight, _ = of.problem.model.parameters()
    y = of.task.targets
    gap = of.problem.model(of.task.inputs) @ torch.tensor([-1.0, 1.0]) * (2.0 * y - 1.0)
    lowered = gap - 2.0 * SIGMA * (weight[1] - weight[0]).norm()
    found, _ = PGD(2.0, moves=20).loss(batch(of))
    torch.testing.assert_close(found, softplus(-lowered).mean(), rtol=0.02, atol=0.0)


def test_pgd_on_c_starts_from_the_points_of_d0():
    of = linear()
    b = batch(of)
    weight, _ = of.problem.model.parameters()
    s = of.problem.margin(b.pieces().mean) + 2.0 * SIGMA * (weight[1] - weight[0]).norm()
    exact = Plain().loss(b)[0] + 3.0 * softplus(s).mean()
    found, _ = PGD(2.0, moves=20, aim="catastrophe", weight=3.0).loss(b)
    assert float(found.detach()) == pytest.approx(float(exact.detach()), rel=0.02)


def test_what_rules_become_at_their_ends():
    b = batch(duty())
    plain = float(Plain().loss(b)[0].detach())
    assert plain == float(cross_entropy(b.model(b.x), b.y).detach())
    for rule in (Noise(0.0), PGD(0.0), Trades(weight=0.0), Pointwise(price=0.0)):
        assert float(rule.loss(b)[0].detach()) == pytest.approx(plain, rel=1e-12)
    noised = b.model((b.x + SIGMA * b.noise((4, *b.x.shape))).reshape(-1, 3))
    smooth = cross_entropy(noised, b.y.repeat(4))
    assert float(SmoothAdv(radius=0.0).loss(b)[0].detach()) == pytest.approx(float(smooth.detach()))
    assert float(Trades(2.0).loss(b)[0].detach()) > plain
    assert float(SmoothAdv(radius=2.0).loss(b)[0].detach()) > float(smooth.detach())


def exact(b: Batch) -> torch.Tensor:
    """log P of the points of a batch of a linear classifier, `(b,)`."""
    weight, _ = b.model.parameters()
    s = b.duty.problem.margin(b.pieces().mean)
    return log_cdf(s / (SIGMA * (weight[0] - weight[1]).norm()))


def test_pointwise_follows_the_power_mean_down_to_its_target():
    b, rule = batch(linear()), Pointwise(price=0.5, power=0.3, target=-2.0)
    each, floor = exact(b), -2.0 * math.log(10.0)
    pushed = floor + softplus(each - floor)
    mean = torch.log((0.3 * pushed).exp().mean()) / 0.3
    loss, seen = rule.loss(b)
    torch.testing.assert_close(loss, Plain().loss(b)[0] + 0.5 * mean, rtol=1e-9, atol=0.0)
    assert seen == pytest.approx(math.log10(float(each.exp().mean().detach())), rel=1e-9)
    # nothing is defended at first
    assert Pointwise().loss(batch(linear(), share=0.01))[0] == Plain().loss(batch(linear()))[0]


def test_pointwise_on_labels_has_the_class_of_each_example():
    b = batch(linear())
    weight, _ = b.model.parameters()
    gap = b.model(b.x) @ torch.tensor([1.0, -1.0]) * (2.0 * b.y - 1.0)
    each = log_cdf(gap / (SIGMA * (weight[0] - weight[1]).norm()))
    _, seen = Pointwise(event="label").loss(b)
    assert seen == pytest.approx(math.log10(float(each.exp().mean().detach())), rel=1e-9)


def test_sampled_log_p_tends_to_log_p():
    b = batch(linear())
    _, seen = Sampled(draws=40_000, blur=1e-3).loss(b)
    # 24 points with weights below 2: far less than 1% each; a blur of 0.1% moves P by less
    assert seen == pytest.approx(math.log10(float(exact(b).exp().mean().detach())), abs=0.03)


def test_a_training_resumes_bit_for_bit():
    trainer = Trainer(
        Pointwise(lines=4), steps=6, batch=10, estimator=wb.Tangent(lines=4),
        referee=Referee(every=3, budget=4_000),
    )  # fmt: skip
    of = duty()
    whole, _ = run(trainer, of, trainer.init(of, wb.Rng(3)), UNLIMITED)
    of = duty()
    state = trainer.init(of, wb.Rng(3))
    while not trainer.finished(state):
        state = unpack(Drilled, pack(trainer.step(duty(), state)))
    assert pack(state) == pack(replace(whole, limit=state.limit, steps=0))  # NaN is equal to itself
    trained = trainer.read(state)
    assert [v["step"] for v in trained.judged()] == [3, 6]
    assert abs(trained.refereed() - trained.judged()[-1]["log10_p"]) < 0.3
    rows = trained.table()
    assert len(rows) == 7 and all(row["loss"] > 0.0 for row in rows)  # the task's alone
    made = of.trained(trained.theta)
    assert rows[-1]["score"] == of.task.score(made.model) and trainer.closed(of, whole) is whole
    longer = replace(trainer, steps=9)
    assert [r["step"] for r in longer.read(longer.step(of, whole)).table()] == [*range(7)]
    assert rows[0]["loss"] == rows[2]["loss"] != rows[3]["loss"]


def test_an_estimate_that_parts_from_the_referee_is_marked_and_the_rule_made_stricter():
    class Strict(Referee):
        def judge(self, *asked):
            return (*super().judge(*asked)[:2], True)

    trainer = Trainer(Pointwise(lines=0), steps=2, batch=12, referee=Strict(every=1, budget=4_000))
    of = duty()
    state, _ = run(trainer, of, trainer.init(of, wb.Rng(3)), UNLIMITED)
    assert state.exploited
    assert state.rung == 2
    assert trainer.rule_of(state).lines == 8


def test_half_spaces_part_from_the_referee_who_marks_the_trainer():
    """A training against half-spaces alone (FORM) ends where they say little of P."""
    trainer = Trainer(
        Pointwise(price=0.3, lines=0), steps=20, batch=12, rate=2e-2,
        estimator=wb.Tangent(lines=0, moves=1), referee=Referee(every=20, budget=4_000),
    )  # fmt: skip
    of = duty()
    state, _ = run(trainer, of, trainer.init(of, wb.Rng(3)), UNLIMITED)
    (verdict,) = trainer.read(state).judged()
    assert state.exploited and state.rung == 1 and verdict["exploited"] == 1.0
    gap = abs(verdict["log10_p"] - verdict["log10_p_referee"])
    assert gap > max(1.0, 1.96 * verdict["err"])


@pytest.mark.parametrize("proposal", ["cross entropy", "none"])
def test_samplers_that_know_no_gradient_see_log_p_where_it_is_not_rare(proposal):
    b = batch(linear())
    _, seen = Sampled(draws=4_000, blur=1e-3, proposal=proposal).loss(b)
    each = exact(b).exp()
    # draws of D0 alone have a relative variance of at most 1 / (n m P), the mixture twice that
    room = 5.0 * math.sqrt(2.0 / (len(each) * 4_000 * float(each.mean().detach()))) / math.log(10)
    assert seen == pytest.approx(math.log10(float(each.mean().detach())), abs=room)


def test_bad_settings_are_refused():
    with pytest.raises(wb.BadInput, match="proposal is"):
        Sampled(proposal="luck")
    for wrong in ({"power": 0.0}, {"target": 1.0}, {"event": "all"}, {"moves": 0}):
        with pytest.raises(wb.BadInput):
            Pointwise(**wrong)
    with pytest.raises(wb.BadInput):
        PGD(aim="all")
    with pytest.raises(wb.BadInput):
        Trainer(steps=0)
    one = wb.Gaussian(torch.zeros(3), torch.ones(3))
    of = duty()
    with pytest.raises(wb.Unsupported, match="equal noise"):
        sigma_of(Duty(of.problem.vary(one), of.task))


def test_a_run_folder_holds_a_minibatch_training_and_goes_on_with_it(tmp_path):
    trainer = Trainer(PGD(2.0, moves=2), steps=4, batch=12, referee=Referee(every=4, budget=500))
    straight = lesson(duty(), trainer, 1)
    for _ in straight.walk():
        pass
    subject = lesson(duty(), trainer, 1)
    with Run(subject, "train") as begun:
        begun.keep(tmp_path / "run", 1)
        next(begun.walk())
    with Run.resume(tmp_path / "run") as again:
        for _ in again.walk():
            pass
        state = again.subject.state
    assert pack(state) == pack(straight.state)
    assert again.subject.iteration == trainer
