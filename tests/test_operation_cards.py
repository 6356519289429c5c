"""Whatever is read is on cards, bit for bit."""

import pytest
import torch
from operation_parts import Call, convolutional, made, rand
from operation_rows import ROWS
from torch import nn

import workbench as wb

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even")


@pytest.mark.parametrize("make, d, kind", ROWS.values(), ids=ROWS)
def test_whatever_is_read_is_on_cards_bit_for_bit(tmp_path, make, d, kind):
    module = made(make).double()
    with torch.no_grad():
        k = module(torch.zeros(1, d)).shape[1]
    gaussian = wb.Gaussian(torch.zeros(d), torch.ones(d))
    problem = wb.Problem(gaussian, module, wb.Halfspace(rand(2, k), -1.0), "own")
    back = wb.load(problem.save(tmp_path / "one"))
    x = rand(1, 7, d)
    assert torch.equal(back.model(x), module(x))
    assert wb.Moments()(back).log10_p == wb.Moments()(problem).log10_p
    back.save(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_what_training_leaves_alone_stays_so_on_cards(tmp_path):
    """Numbers and buffers are no parameters of a model that is loaded; parameters are."""
    module = made(lambda: Call(lambda m, x: (x - m.mean + 0.5) / m.var * m.bias)).double()
    gaussian = wb.Gaussian(torch.zeros(2), torch.ones(2))
    back = wb.load(wb.Problem(gaussian, module, wb.Argmax(0)).save(tmp_path)).model
    assert [len(list(part.parameters())) for part in back.parts] == [0, 0, 0, 1]


@pytest.mark.parametrize("place", ["M", "on inputs", "on both", "on outputs", "probe", "D"])
def test_networks_of_images_are_on_cards_wherever_one_stands(tmp_path, place):
    """In M, in a spec that reads x, y or a hidden value, and in a law that is recognised."""
    net = made(convolutional).double()
    other = nn.Sequential(nn.Linear(36, 36).double(), nn.Tanh()).double()
    law, half = wb.Gaussian(torch.zeros(36), torch.ones(36)), wb.Halfspace(torch.ones(2), -1.0)
    if place == "on both":
        net = nn.Sequential(nn.Unflatten(1, (1, 72)), nn.AvgPool1d(2), nn.Flatten(), net)
    spec = {
        "on inputs": lambda: wb.Trusted(net, half, "inputs"),
        "on both": lambda: wb.Trusted(net, half),
        "on outputs": lambda: wb.Trusted(net, half, "outputs"),
        "probe": lambda: wb.Probe(net, half, layer=1),
    }.get(place, lambda: wb.Halfspace(torch.ones(2 if place == "M" else 36), -1.0))()
    model = net if place == "M" else other
    law = wb.Conditional(law, net, half) if place == "D" else law
    problem = wb.Problem(law, model, spec, "placed")
    back, x = wb.load(problem.save(tmp_path)), rand(1, 7, 36)
    assert torch.equal(back.margin(x), problem.margin(x))
    if place == "D":
        assert torch.equal(back.distribution.recognise(x), law.recognise(x))


def test_weights_that_are_computed_are_each_kept(tmp_path):
    """A parametrised layer's weight is a new tensor whenever it is asked for."""
    norm = nn.utils.parametrizations.weight_norm
    layers = [norm(nn.Linear(4, 4).double()) for _ in range(6)]
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(4), torch.ones(4)), nn.Sequential(*layers), wb.Argmax(0)
    )
    back, x = wb.load(problem.save(tmp_path)), rand(0, 9, 4)
    assert torch.equal(back.model(x), problem.model(x))


@pytest.mark.parametrize("activation", ["sign", "heaviside"])
def test_steps_are_on_cards(tmp_path, activation):
    from workbench.models import mlp

    model = mlp([3, 4, 2], torch.Generator().manual_seed(0), activation, bias_std=0.3)
    problem = wb.Problem(wb.Gaussian(torch.zeros(3), torch.ones(3)), model, wb.Argmax(0))
    back = wb.load(problem.save(tmp_path))
    x = rand(0, 9, 3)
    torch.testing.assert_close(back.model(x), model(x))
