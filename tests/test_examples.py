"""Networks of one's own, trained on examples of one's own from the command line."""

import pytest
import torch
from commands import ask, refuse
from safetensors.torch import save_file

import workbench as wb
from workbench.errors import BadInput
from workbench.experiments import Run
from workbench.experiments.examples import read_task
from workbench.training import Task


def network(outputs=2):
    """y = W x + b, the first output the sum of the inputs."""
    net = torch.nn.Linear(3, outputs)
    with torch.no_grad():
        net.weight.zero_(), net.bias.zero_()
        net.weight[0] = 1.0
    return net


def problem(outputs=2):
    d = wb.Gaussian(torch.tensor([1.0, 1.0, 1.0]), 0.7)
    spec = wb.Argmax(0) if outputs > 1 else wb.Halfspace(torch.tensor([-1.0]), 0.0)
    return wb.Problem(d, network(outputs), spec, name="mine")


def examples(n=200):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(1))
    return x, (x.sum(1) < 0).long()


def csv(path, inputs, targets):
    rows = [
        [*map(repr, x), repr(y)] for x, y in zip(inputs.tolist(), targets.tolist(), strict=True)
    ]
    path.write_text("\n".join(["a,b,c,class", *map(",".join, rows)]) + "\n")
    return path


def test_a_card_is_trained_on_examples_and_written(tmp_path):
    card = problem().save(tmp_path / "mine.zip")
    data = csv(tmp_path / "mine.csv", *examples())
    words = ["train", card, "--data", data, "--defender", "covariance", "--nats", 0, "--steps", 6]
    out, run = tmp_path / "safer.zip", tmp_path / "run"
    found = ask(*words, "--target", -9, "--run", run, "--out", out)
    assert (found["problem"], found["examples"], found["steps"]) == ("mine", 160, 6)
    assert found["last"]["log10_p"] < found["first"]["log10_p"]
    safer = wb.Problem.load(out)
    assert wb.Moments()(safer).log10_p < wb.Moments()(wb.Problem.load(card)).log10_p
    with Run.resume(run) as ended:
        theta = ended.subject.state.theta
    assert torch.equal(torch.cat([p.flatten() for p in safer.model.parameters()]), theta)
    ask("resume", run, "--out", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == out.read_bytes()


def test_what_is_held_out_is_a_fifth_and_the_same_every_time(tmp_path):
    x, y = examples()
    one = read_task(csv(tmp_path / "a.csv", x, y), problem())
    assert (one.size, one.loss) == (160, "cross_entropy")
    both = torch.cat([one.inputs, one.held_out[0]])
    assert torch.equal(both.sort(0).values, x.double().sort(0).values)
    save_file({"inputs": x.reshape(200, 3, 1), "targets": y.int()}, tmp_path / "a.safetensors")
    other = read_task(tmp_path / "a.safetensors", problem())
    assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
    values = read_task(csv(tmp_path / "b.csv", x, x.sum(1)), problem(1))
    assert values.loss == "mse" and values.targets.shape == (160, 1)
    assert values.score(network(1)) == pytest.approx(1.0)


def test_examples_that_do_not_fit_are_refused_in_a_sentence(tmp_path):
    x, y = examples(20)
    mine = problem()
    cases = {
        "D has 3 inputs, so that 4 are needed for a class, 5": csv(tmp_path / "a.csv", x[:, :1], y),
        "no class: not whole": csv(tmp_path / "b.csv", x, y + 0.5),
        "or classes from 0 to 1": csv(tmp_path / "c.csv", x, y + 1),
        "no file of examples": tmp_path / "none.csv",
        "read from .csv or .safetensors": tmp_path / "d.txt",
    }
    (tmp_path / "d.txt").write_text("1,2,3,0\n")
    for told, path in cases.items():
        with pytest.raises(BadInput, match=told):
            read_task(path, mine)
    (tmp_path / "e.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="no safetensors file"):
        read_task(tmp_path / "e.safetensors", mine)
    for held, told in (
        ({"x": x}, "must hold the tensors 'inputs' and 'targets'"),
        ({"inputs": x, "targets": y[:3]}, "n targets"),
        ({"inputs": x / 0.0, "targets": y}, "NaN or infinity"),
        ({"inputs": x[:, :2].clone(), "targets": y}, "D has 3 inputs"),
        ({"inputs": x, "targets": x.clone()}, "must be 2 numbers each, or classes"),
    ):
        save_file(held, tmp_path / "f.safetensors")
        with pytest.raises(BadInput, match=told):
            read_task(tmp_path / "f.safetensors", mine)
    with pytest.raises(BadInput, match="2 examples or more"):
        Task.split(x[:1], y[:1])


def test_a_card_without_examples_is_told_of_them(tmp_path):
    card = problem().save(tmp_path / "mine.zip")
    assert "needs the examples that it is for (`--data`)" in refuse("train", card)
    assert ".zip" in refuse("train", "plane", "--out", tmp_path / "m.json")
    run = tmp_path / "run"
    ask("estimate", "A_d10_1e-3", "--budget", 100, "--run", run)
    told = refuse("resume", run, "--out", tmp_path / "m.zip")
    assert "what a training made of M" in told
