"""A network of one's own in the room Train, with the examples that it is for."""

import dataclasses

import pytest
import torch

import workbench as wb
from workbench.errors import BadInput
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
