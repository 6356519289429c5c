"""What the rows of operations are made of, and what their tests ask of them."""

import math

import torch
from torch import nn


class Call(nn.Module):
    """One function of x, with some parts to hand."""

    def __init__(self, f, *parts):
        super().__init__()
        self.f, self.parts = f, nn.ModuleList(parts)
        self.kernel, self.bias = nn.Parameter(torch.ones(2, 1, 2)), nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.tensor([-1.0, 1.0]))
        self.register_buffer("var", torch.tensor([0.5, 2.0]))
        self.register_buffer("lower", torch.ones(3, 3).tril().bool())
        self.register_buffer("upper", ~self.lower)
        self.register_buffer("causal", torch.full((3, 3), -math.inf).triu(1))
        self.register_buffer("added", torch.tensor([[0.5, -math.inf, 1.0]] * 3))

    def forward(self, x):
        return self.f(self, x)


def image(*parts):
    """Parts on 2 x 4 x 4 images, from 32 numbers and back to a vector."""
    return nn.Sequential(nn.Unflatten(1, (2, 4, 4)), *parts, nn.Flatten())


def made(make):
    torch.manual_seed(0)
    return make()


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kinds(graph):
    """The operations that stand in a graph; what is read as several others is one of them."""
    return {type(n.op if n.part is None else n.part.whole).__name__ for n in graph.nodes}


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2), nn.GELU(), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
