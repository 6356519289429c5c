"""Rows of sequences whose steps come before the batch, as PyTorch's layers have them by default."""

import math

import torch
from operation_parts import Call
from torch import nn


def early(x):
    """4 steps of 3 numbers, `(steps, batch, 3)`."""
    return x.view(-1, 4, 3).transpose(0, 1)


class Encoder(nn.Module):
    """As PyTorch's own tutorial writes it: scaled, with positions `(steps, 1, width)`, dropped out;
    the mean over steps."""

    def __init__(self):
        super().__init__()
        self.embed, self.drop = nn.Linear(3, 4), nn.Dropout(0.1)
        self.register_buffer("positions", torch.linspace(-1.0, 1.0, 16).view(4, 1, 4))
        layer = nn.TransformerEncoderLayer(4, 2, 6, 0.1)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):
        h = self.embed(x.view(-1, 4, 3).permute(1, 0, 2)) * math.sqrt(4)
        return self.layers(self.drop(h + self.positions)).mean(dim=0)


ROWS = {
    "lstm, steps first": (lambda: Call(lambda m, x: m.parts[0](early(x))[0][-1], nn.LSTM(3, 2)), 12,
                          "Recurrent"),
    "last states, steps first": (
        lambda: Call(lambda m, x: m.parts[0](early(x))[1][0][-1], nn.LSTM(3, 2, 2)), 12,
        "Recurrent",
    ),
    "gru, steps first and back": (
        lambda: Call(lambda m, x: m.parts[0](early(x))[0].swapaxes(0, 1).flatten(1),
                     nn.GRU(3, 2, bidirectional=True)), 12, "Recurrent",
    ),
    "rnn between layers, steps first": (
        lambda: Call(lambda m, x: m.parts[1](torch.relu(m.parts[0](early(x))[0]))[1:3].amax(dim=0),
                     nn.RNN(3, 2), nn.Linear(2, 2)), 12, "Recurrent",
    ),
    "heads, steps first": (
        lambda: Call(lambda m, x: m.parts[0](*[x.view(-1, 3, 4).transpose(1, 0)] * 3)[0][0],
                     nn.MultiheadAttention(4, 2)).eval(), 12, "MultiheadAttention",
    ),
    "encoder, steps first": (lambda: Encoder().eval(), 12, "EncoderLayer"),
}  # fmt: skip
