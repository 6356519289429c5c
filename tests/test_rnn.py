"""Recurrent networks: torch's own as the oracle, their unrolled graph under every propagator."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench import graph as graphs
from workbench.distributions import Piece
from workbench.errors import BadInput
from workbench.models import RNN, Network, Picked, dense, from_torch, random_rnn
from workbench.propagation import ALL, Covariance


def net(activation="relu", inputs=1, hidden=4, outputs=3, steps=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return random_rnn(inputs, hidden, outputs, steps, generator, activation)


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("inputs", [1, 3])
def test_it_is_the_rnn_of_torch(activation, bias, inputs):
    torch.manual_seed(0)
    layer = nn.RNN(
        inputs, 5, nonlinearity=activation, bias=bias, batch_first=True, dtype=torch.float64
    )
    say = nn.Linear(5, 2, bias=bias, dtype=torch.float64)
    x = noise(7, 4, inputs)
    ours = from_torch(layer, say, 4)
    torch.testing.assert_close(ours(x.flatten(1)), say(layer(x)[0][:, -1]))
    graph = graphs.read(ours)
    torch.testing.assert_close(graphs.activations_of(graph, x.flatten(1))[-1], ours(x.flatten(1)))
    assert [type(n.op).__name__ for n in graph.nodes].count("Elementwise") == 4


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_propagators_see_its_dense_twin(cls, activation, tmp_path):
    """The columns written out as matrices: another graph of the same function."""
    rnn, one = net(activation), torch.ones(5, dtype=torch.float64)
    d = wb.Gaussian(0.2 * noise(5), 0.7 * one)
    problem = wb.Problem(d, rnn, wb.Argmax(1), "rnn")
    model = wb.load(problem.save(tmp_path)).model
    parts = [
        dense(torch.eye(5).double()[part.index[1]]) if isinstance(part, Picked) else part
        for part in model.parts
    ]
    twin = wb.Problem(d, Network(parts, model.inputs), wb.Argmax(1), "twin")
    assert not any(isinstance(n.op, graphs.Pick) for n in twin.graph.nodes)
    a, b, (piece,) = torch.eye(3, dtype=torch.float64), torch.zeros(3).double(), d.pieces()
    with torch.no_grad():
        ours, _ = cls().law(problem.graph, piece, a, b)
        theirs, _ = cls().law(twin.graph, piece, a, b)
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.cov, theirs.cov)


def test_moments_are_exact_where_every_relu_is_on():
    """Positive maps on inputs 60 deviations above 0: the network is linear there."""
    rnn = net(inputs=2, steps=3)
    with torch.no_grad():
        for layer in (rnn.read, rnn.recur, rnn.say):
            layer.weight.abs_()
        mean, scale = torch.full((6,), 60.0).double(), torch.ones(6).double()
        matrix = torch.autograd.functional.jacobian(lambda x: rnn(x[None])[0], mean)
        piece = Piece(torch.zeros(()).double(), mean, scale)
        law, _ = Covariance().law(
            graphs.read(rnn), piece, torch.eye(3).double(), torch.zeros(3).double()
        )
    torch.testing.assert_close(law.mean, matrix @ mean)
    torch.testing.assert_close(law.cov, matrix @ matrix.T)


@pytest.mark.parametrize("cls", [p for p in ALL if p.name != "mean"], ids=lambda p: p.name)
def test_one_step_is_a_network_of_one_layer(cls):
    rnn = net(inputs=4, steps=1)
    twin = nn.Sequential(rnn.read, nn.ReLU(), rnn.say)
    piece = Piece(torch.zeros(()).double(), noise(4), torch.ones(4).double())
    a, b = torch.eye(3).double(), torch.zeros(3).double()
    with torch.no_grad():
        ours, _ = cls().law(graphs.read(rnn), piece, a, b)
        theirs, _ = cls().law(graphs.read(twin), piece, a, b)
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.cov, theirs.cov)


def test_gradients_sum_over_the_steps():
    rnn = net("tanh", steps=3)
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double()), rnn, wb.Argmax(0)
    )
    recur = rnn.recur.weight

    def value(w):
        with torch.no_grad():
            recur.copy_(w)
        return wb.Moments()(problem).log_p

    log_p = value(recur.detach().clone())
    (slope,) = torch.autograd.grad(log_p, recur)
    at, step = recur.detach().clone(), 1e-6 * noise(4, 4, seed=2)
    rise = float((value(at + step) - value(at - step)).detach()) / 2.0
    assert rise == pytest.approx(float((slope * step).sum()), rel=1e-6)


def test_columns_that_are_not_there_are_refused():
    with pytest.raises(BadInput, match="takes nothing along an axis of a value of shape"):
        graphs.read(net(steps=5)).shapes(4)


def test_maps_that_do_not_fit_are_refused():
    maps = [dense(torch.ones(s)) for s in ((4, 1), (4, 4), (3, 4))]
    with pytest.raises(BadInput, match="an rnn needs maps"):
        RNN(maps[0], maps[2], maps[1], 3)
    with pytest.raises(BadInput, match="relu or tanh"):
        RNN(*maps, steps=3, activation="gelu")
    with pytest.raises(BadInput, match="one layer"):
        from_torch(nn.RNN(1, 4, num_layers=2), nn.Linear(4, 2), 3)
