"""A network of one's own in the room Train, with the examples that it is for."""

import dataclasses
from threading import Event

import pytest
import torch

import workbench as wb
from workbench.errors import BadInput
from workbench.experiments import lessons
from workbench.problem.codec import unzipped, zipped
from workbench.training import Duty, Task
from workbench.views.stepping import JOB
from workbench.views.train_own import own_duty
from workbench.views.train_screen import Train
from workbench.views.train_session import TrainSession
from workbench.views.widgets_train import TrainWidgets


def own():
    """A network of one's own on the plane, and the examples that it is for."""
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        model.bias.zero_()
    problem = wb.Problem(
        wb.Gaussian(torch.tensor([1.5, 0.0]), 0.5), model, wb.Argmax(0), name="own"
    )
    return problem, x, (x[:, 0] < 0).long()


def weights(problem):
    return torch.cat([p.flatten() for p in problem.model.parameters()])


def files(problem, x, y):
    rows = torch.cat([x, y[:, None]], 1).tolist()
    text = "\n".join(",".join(map(str, row)) for row in rows)
    return {"own.zip": zipped(problem), "own.csv": text.encode()}


@pytest.mark.parametrize("face", ["panel", "widgets"])
def test_a_network_of_ones_own_is_brought_trained_and_saved(face):
    problem, x, y = own()
    brought = own_duty(files(problem, x, y))
    made = TrainSession(brought, settings={"steps": 2, "nats": 0.0, "every": 1, "referee": 500})
    view = Train(made) if face == "panel" else TrainWidgets(made)
    try:
        picker = view.picker if face == "panel" else view.problem
        assert dict(picker.options)["own"] == picker.value == "own"
        assert face == "widgets" or view.save.disabled
        with pytest.raises(BadInput, match="nothing is trained"):
            made.card_archive()
        made.stepping.play()
        assert "message" not in made.worker.wait(JOB)
        assert made.found["problem"] == "own" and made.found["examples"] == 48
        now = unzipped(made.card_archive().getvalue())
        view.paint()
        assert face == "widgets" or not view.save.disabled
        assert torch.equal(weights(now), made.found["weights"])
        assert not torch.equal(weights(now), weights(problem))
        with pytest.raises(BadInput, match="no cell could load it"):
            made.source()
    finally:
        made.close()


@pytest.mark.parametrize("face", ["panel", "widgets"])
@pytest.mark.parametrize("early", ["Run", ""])
def test_what_is_chosen_while_the_first_training_is_being_made_is_trained(face, early, monkeypatch):
    going, begin = Event(), lessons.begin

    def slowly(*asked):
        assert going.wait(60.0)
        return begin(*asked)

    monkeypatch.setattr(lessons, "begin", slowly)
    small = {"steps": 2, "nats": 0.0, "every": 1, "referee": 500}
    made = TrainSession("plane", settings=small)
    view = Train(made) if face == "panel" else TrainWidgets(made)
    try:
        view.begin()
        problem, x, y = own()
        made.problem_name = made.add(own_duty(files(problem, x, y)))
        assert (view.picker if face == "panel" else view.problem).value == "own"
        if early:
            made.stepping.play()
        going.set()
        view.finish()
        assert made.found["problem"] == "own" and not made.stale
        assert "Reset" not in view.toolbar.standing.value
        if not early:
            assert made.found["steps"] == 0
            made.stepping.play()
            view.finish()
        assert made.found["steps"] == 2
        now = unzipped(made.card_archive().getvalue())
        assert now.name == "own" and torch.equal(weights(now), made.found["weights"])
        assert now.distribution.mean.equal(problem.distribution.mean)
    finally:
        made.close()


def test_a_choice_while_the_screen_looks_at_a_first_step_is_taken_over(monkeypatch):
    made = TrainSession("plane", settings={"nats": 0.0})
    view, going, looked = Train(made), Event(), made.stepping._look

    def slowly(run):
        assert going.wait(60.0)
        return looked(run)

    try:
        view.begin()
        going.set()
        view.finish()
        going.clear()
        made.stepping._look = slowly
        made.stepping.pause()  # as after Pin
        made.seed = 5
        going.set()
        view.finish()
        assert made.stepping.run.subject.seed == 5 and not made.stale
        assert "step 0" in view.toolbar.standing.value
    finally:
        made.close()


def test_files_of_a_name_that_is_on_the_screen_take_its_place():
    problem, x, y = own()
    made = TrainSession(own_duty(files(problem, x, y)), settings={"steps": 1, "nats": 0.0})
    view = Train(made)
    try:
        view.begin()
        view.finish()
        made.pin()
        other = dataclasses.replace(problem, distribution=wb.Gaussian(torch.ones(2), 0.5))
        made.add(own_duty(files(other, x[:40], y[:40])))
        view.finish()
        assert made.found["examples"] == 32 and made.pinned is None and not made.stale
        made.stepping.step()
        view.finish()
        now = unzipped(made.card_archive().getvalue())
        assert now.distribution.mean.tolist() == [1.0, 1.0]
        made.add(own_duty(files(problem, x, y)))
        assert made.stale and not made.savable  # a step was made: it waits for Reset
    finally:
        made.close()


def test_what_is_no_card_with_examples_is_refused():
    brought = files(*own())
    for wrong in ({}, {"own.zip": brought["own.zip"]}, {"a.csv": b"", "b.csv": b""}):
        with pytest.raises(BadInput, match="choose two files at once"):
            own_duty(wrong)
    with pytest.raises(BadInput, match="holds no examples"):
        own_duty({**brought, "own.csv": b""})
    made = TrainSession("plane")
    try:
        problem, x, y = own()
        named = Duty(dataclasses.replace(problem, name="plane"), Task.split(x, y))
        with pytest.raises(BadInput, match="the name of a training here"):
            made.add(named)
    finally:
        made.close()
