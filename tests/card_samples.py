"""Problems that between them hold one of everything that a card describes."""

from dataclasses import replace

import torch
from torch import nn

import workbench as wb
from workbench.models import Network, Shift, Sum, dense, mlp

LINEAR = "model.0.weight"
"""A tensor that the card of "residual" names."""


def rand(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def residual(dtype=torch.float64):
    parts = [dense(rand(0, 3, 3, dtype=dtype)), nn.GELU(), Sum(), Shift(rand(1, 3, dtype=dtype))]
    parts += [nn.Flatten(), nn.Tanh(), dense(rand(2, 2, 3, dtype=dtype), rand(3, 2, dtype=dtype))]
    return Network(parts, [[0], [1], [2, 0], [3], [4], [5], [6]])


def images():
    """Two channels of 4 x 3 made of 3 numbers, and one of every operation on images."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 8, 1), nn.Unflatten(1, (2, 4)),
        nn.MaxPool2d((1, 3), 1, (0, 1)), nn.MaxPool2d((2, 1), 1),
        nn.Conv2d(2, 4, (1, 2), padding=1, stride=(1, 2), groups=2), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AvgPool2d((1, 2), 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(4),
        nn.Linear(4, 2),
    )  # fmt: skip
    with torch.no_grad():
        net[6].running_mean += rand(20, 4)
        net[6].running_var += 1.0 + rand(21, 4).abs()
    return net.double().eval()


class Attending(nn.Module):
    """Attention and a recurrent layer on three tokens that are made of 3 numbers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.spread = nn.Linear(3, 12)
        self.layer = nn.TransformerEncoderLayer(4, 2, 3, 0.0, batch_first=True)
        self.heads = nn.MultiheadAttention(4, 2, batch_first=True)
        self.memory = nn.GRU(4, 4, batch_first=True)
        self.register_buffer("lower", torch.ones(3, 3).tril().bool())

    def forward(self, x):
        h = self.layer(self.spread(x).view(-1, 3, 4))
        h, _ = self.heads(h, h, h, attn_mask=~self.lower)
        h = h + self.memory(h)[0]
        scores = (h @ h.transpose(1, 2)).masked_fill(~self.lower, float("-inf"))
        h = torch.einsum("bqk,bkd->bqd", scores.softmax(-1), h)
        h = nn.functional.scaled_dot_product_attention(h, h, h, attn_mask=self.lower)
        return torch.maximum(h.logsumexp(1), h.amax(1))[:, :2]


def gaussian(dtype=torch.float64, full=False):
    scale = torch.eye(3, dtype=dtype) + rand(5, 3, 3, dtype=dtype).tril(-1)
    return wb.Gaussian(rand(4, 3, dtype=dtype), scale if full else scale.diagonal().clone() * 0.3)


def discrete():
    """Rows of two and of three values."""
    return wb.Discrete(rand(10, 3, 3), torch.tensor([[0.2, 0.8, 0.0]] + [[0.5, 0.25, 0.25]] * 2))


def problems():
    """One of everything that a card describes."""
    half = wb.Halfspace(rand(6, 2), 0.1)
    single = torch.float32
    mixture = wb.Mixture(torch.tensor([0.3, 0.7]), (gaussian(), gaussian(full=True)))
    truth = wb.Truth(-3.25, 0.01, "by hand", {"n": 10, "who": ["a", None]}, {"mean": rand(7, 3)})
    relu = mlp([3, 5, 2], torch.Generator().manual_seed(0), bias_std=0.1)
    rare = wb.Conditional(gaussian(), residual(), wb.Argmax(0) & wb.Halfspace(rand(11, 2), -1.0))
    glass = wb.SpinGlass(torch.ones(3, 3).double() - torch.eye(3).double(), rand(12, 3), 0.5)
    weak = [mlp(w, torch.Generator().manual_seed(1)) for w in ([5, 4, 1], [2, 2])]
    trusted = wb.Trusted(weak[0]) & wb.Trusted(weak[1], half, "outputs")
    spec = (wb.Argmax(1, "wins", 0.25) & ~half) | wb.Polytope(rand(8, 3, 2), rand(9, 3))
    return {
        "residual": wb.Problem(gaussian(), residual(), half, "a residual net", "Two words.", truth),
        "full": wb.Problem(gaussian(full=True), relu, wb.Argmax(0), "full"),
        "mixture": wb.Problem(mixture, relu, spec, "mixture/é .json"),
        "student_t": wb.Problem(
            wb.StudentT(rand(4, 3), gaussian(full=True).scale, 3.5), relu, half, "heavy"
        ),
        "box": wb.Problem(wb.Box(rand(4, 3), rand(4, 3) + 1.0), relu, ~spec, ".box"),
        "discrete": wb.Problem(discrete(), relu, half, "finite"),
        "float32": wb.Problem(
            gaussian(single), residual(single), wb.Halfspace(rand(6, 2, dtype=single), 1 / 3), "f32"
        ),
        "conditioned": wb.Problem(rare, relu, half, "recognised"),
        "weighted": wb.Problem(replace(rare, softness=0.25), relu, half, "weighted"),
        "gibbs": wb.Problem(wb.Gibbs(gaussian(), dense(rand(14, 1, 3))), relu, half, "gibbs"),
        "spin glass": wb.Problem(glass, relu, half, "glass"),
        "spin network": wb.Problem(
            wb.SpinNetwork(rand(15, 3), dense(rand(16, 1, 3))), relu, half, "weighed spins"
        ),
        "trusted": wb.Problem(gaussian(), relu, trusted | ~spec, "trusted"),
        "probe": wb.Problem(
            gaussian(),
            relu,
            wb.Probe(dense(rand(13, 1, 5)), layer=2, false_alarms=0.01, misses=0.25, trained_on=9),
            "probe",
        ),
        "points": wb.Problem(
            gaussian(), dense(rand(15, 3, 3)), wb.Points(1, "wrong", 0.5), "points"
        ),
        "median": wb.Problem(gaussian(), dense(rand(17, 1, 3)), wb.Median(0.2, "far"), "median"),
        "bare": wb.Problem(gaussian(), nn.Flatten(), wb.Halfspace(torch.ones(3)), "bare"),
        "images": wb.Problem(gaussian(), images(), half, "images"),
        "attention": wb.Problem(gaussian(), Attending().double().eval(), half, "attention"),
        "scalar shift": wb.Problem(
            gaussian(), Shift(torch.tensor(0.1)), wb.Halfspace(torch.ones(3)), "scalar"
        ),
    }


PROBLEMS = problems()
