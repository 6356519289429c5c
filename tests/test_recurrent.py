"""Recurrent layers, whose steps propagation writes out."""

import json

import pytest
import torch
from attending_rows import eval_of, last_state, recurrent
from operation_parts import Call, made, rand
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.propagation import Covariance


def final(m, x):
    _, h = m.parts[0](x.view(-1, 4, 3))
    return h[-1]


def backward_and_forward(m, x):
    _, (h, _) = m.parts[0](x.view(-1, 4, 3))
    return torch.cat([h[-1], h[2]], 1)


def alone(m, x):
    return m.parts[0](x.view(-1, 4, 3))[1].squeeze(0)


def begun(m, x):
    h = torch.zeros(1, x.size(0), 2, device=x.device, dtype=x.dtype).requires_grad_()
    y, _ = m.parts[0](x.view(-1, 4, 3), (h, torch.zeros(1, x.shape[0], 2).to(x.device)))
    return y[:, -1]


STATES = {
    "last": (final, lambda: nn.RNN(3, 2, 2, batch_first=True)),
    "both ways": (
        backward_and_forward, lambda: nn.LSTM(3, 2, 2, batch_first=True, bidirectional=True),
    ),
    "alone": (alone, lambda: nn.GRU(3, 2, batch_first=True)),
    "from zeros": (begun, lambda: nn.LSTM(3, 2, batch_first=True)),
}  # fmt: skip


@pytest.mark.parametrize("f, make", STATES.values(), ids=STATES)
def test_last_states_are_read_and_on_cards(tmp_path, f, make):
    module = made(lambda: Call(f, make()))
    d = wb.Gaussian(torch.zeros(12), torch.ones(12))
    k = module(torch.zeros(1, 12)).shape[1]
    back = wb.load(wb.Problem(d, module, wb.Halfspace(torch.ones(k)), "own").save(tmp_path))
    x = rand(1, 9, 12)
    assert torch.equal(back.model(x), module(x))


REFUSED = {
    "cells": (
        lambda m, x: m.parts[0](x.view(-1, 4, 3))[1][1].squeeze(0),
        nn.LSTM(3, 2, batch_first=True), "squeeze of states of cells",
    ),
    "first layer": (
        lambda m, x: m.parts[0](x.view(-1, 4, 3))[1][0], nn.RNN(3, 2, 2, batch_first=True),
        "states other than the last layer's",
    ),
    "steps first": (
        lambda m, x: m.parts[0](x.view(-1, 4, 3))[0], nn.RNN(3, 2), "without batch_first=True",
    ),
    "begins with x": (
        lambda m, x: m.parts[0](x.view(-1, 4, 3), x)[0], nn.RNN(3, 2, batch_first=True),
        "begins with other states than 0",
    ),
    "in training": (
        lambda m, x: m.parts[0](x.view(-1, 4, 3))[0], nn.GRU(3, 2, 2, True, True, 0.1),
        "GRU in training mode",
    ),
}  # fmt: skip


@pytest.mark.parametrize("f, layer, said", REFUSED.values(), ids=REFUSED)
def test_other_forms_are_named(f, layer, said):
    with pytest.raises(wb.Unsupported, match=said):
        read(Call(f, layer), 12)


def test_steps_of_another_width_do_not_fit():
    with pytest.raises(wb.BadInput, match=r"takes \(steps, 3\) but is fed \(3, 4\)"):
        read(Call(lambda m, x: m.parts[0](x.view(-1, 3, 4))[0], nn.GRU(3, 2, batch_first=True)), 12)


@pytest.mark.parametrize("kind, low, high", [("RNN", 0.95, 1.05), ("GRU", 0.8, 1.1),
                                             ("LSTM", 0.8, 1.1)])  # fmt: skip
def test_states_are_near_what_is_sampled(kind, low, high):
    """Means by their deviations, ratios of deviations, as measured, after six steps of weights
    twice what PyTorch begins with. The sampled values' own errors reach 0.01."""
    module = made(lambda: Call(recurrent(6, 3), getattr(nn, kind)(3, 8, batch_first=True)))
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(2.0)
        y = module(rand(3, 100_000, 18))
        piece = Piece(torch.zeros(()), torch.zeros(18), torch.ones(18))
        law, _ = Covariance().law(read(module, 18), piece, torch.eye(8), torch.zeros(8))
    ratio = law.std / y.std(0)
    assert float(((law.mean - y.mean(0)) / y.std(0)).abs().max()) < 0.1
    assert bool((ratio > low).all() and (ratio < high).all()), ratio


def test_moments_say_that_states_are_presumed_gaussian():
    module = made(lambda: eval_of(last_state, nn.LSTM(3, 2, batch_first=True)))
    d = wb.Gaussian(torch.zeros(12), torch.ones(12))
    for b, said in ((0.5, False), (-0.7, True)):
        found = wb.Moments()(wb.Problem(d, module, wb.Halfspace(torch.ones(2), b)))
        assert (found.log10_p < -1.6) == said
        assert ("presumed Gaussian at every step" in found.warning) == said


def test_cards_of_recurrent_layers_that_do_not_fit(tmp_path):
    module = made(lambda: eval_of(last_state, nn.GRU(3, 2, batch_first=True)))
    d = wb.Gaussian(torch.zeros(12), torch.ones(12))
    path = wb.Problem(d, module, wb.Halfspace(torch.ones(2)), "own").save(tmp_path)
    card = json.loads(path.read_text())
    node = next(n for n in card["model"]["nodes"] if n["op"] == "gru")
    for change in ({"hidden": 3}, {"layers": 2}, {"both": True}, {"op": "lstm"}):
        wrong = card | {"model": {"nodes": [n | change if n is node else n
                                            for n in card["model"]["nodes"]]}}  # fmt: skip
        path.write_text(json.dumps(wrong))
        with pytest.raises(wb.BadInput, match="do not fit the sizes of the layer"):
            wb.load(path)
