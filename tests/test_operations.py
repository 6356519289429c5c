"""Every operation that propagation reads: one row each, and what must hold of all of them."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import activations_of, read
from workbench.graph.operations import ALL as OPERATIONS
from workbench.math.activations import ACTIVATIONS, activation
from workbench.math.region import Region
from workbench.models import Abs, Heaviside, Shift, Sign, Square
from workbench.propagation import ALL, Covariance, Cumulant4
from workbench.propagation.intervals import intervals, moves
from workbench.propagation.linear_bounds import Frame, bound
from workbench.propagation.smoothed import Smoothed

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even")


class Call(nn.Module):
    """One function of x, with some parts to hand."""

    def __init__(self, f, *parts):
        super().__init__()
        self.f, self.parts = f, nn.ModuleList(parts)
        self.kernel, self.bias = nn.Parameter(torch.ones(2, 1, 2)), nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.tensor([-1.0, 1.0]))
        self.register_buffer("var", torch.tensor([0.5, 2.0]))

    def forward(self, x):
        return self.f(self, x)


def image(*parts):
    """Parts on 2 x 4 x 4 images, from 32 numbers and back to a vector."""
    return nn.Sequential(nn.Unflatten(1, (2, 4, 4)), *parts, nn.Flatten())


def norm(n):
    return weighed(nn.LayerNorm(n))


def weighed(layer):
    """A norm with weights at random, and biases where it has them."""
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0)
        if getattr(layer, "bias", None) is not None:
            layer.bias.normal_()
    return layer


def seen(layer):
    """A batch normalisation as training leaves it."""
    with torch.no_grad():
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2.0)
        if layer.affine:
            layer.weight.uniform_(0.5, 2.0)
            layer.bias.normal_()
    return layer.eval()


def _two(pieces):
    a, b = pieces  # as code that unpacks them
    return a, b


def slopes(layer):
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-0.5, 0.3]))
    return layer


# What is read, the length of its input, and the operation that must stand in its graph.
LINEAR = {
    "batch norm": (lambda: nn.Sequential(nn.Linear(5, 4), seen(nn.BatchNorm1d(4))), 5, "BatchNorm"),
    "bare batch norm": (
        lambda: nn.Sequential(seen(nn.BatchNorm1d(5, affine=False))), 5, "BatchNorm",
    ),
    "batch norm of images": (
        lambda: image(nn.Conv2d(2, 3, 3), seen(nn.BatchNorm2d(3))), 32, "BatchNorm",
    ),
    "batch norm function": (
        lambda: Call(lambda m, x: F.batch_norm(x, m.mean, m.var, bias=m.bias)), 2, "BatchNorm",
    ),
    "linear": (lambda: nn.Linear(5, 3), 5, "Linear"),
    "bias": (lambda: Shift(torch.arange(5.0)), 5, "Bias"),
    "channel bias": (lambda: image(Shift(torch.arange(2.0)[:, None, None])), 32, "Bias"),
    "less a number": (lambda: Call(lambda m, x: x - 0.3), 3, "Bias"),
    "number less": (lambda: Call(lambda m, x: 1 - m.parts[0](x), nn.Linear(3, 2)), 3, "Scale"),
    "less a buffer": (lambda: Call(lambda m, x: (x - m.mean) / m.var), 2, "Bias"),
    "by a number": (lambda: Call(lambda m, x: x / 0.3), 3, "Scale"),
    "by a buffer": (lambda: Call(lambda m, x: m.var * m.parts[0](x), nn.Linear(3, 2)), 3, "Scale"),
    "by one parameter": (lambda: Call(lambda m, x: torch.mul(x, m.bias[:1])), 3, "Scale"),
    "by channels": (
        lambda: Call(lambda m, x: (x.view(-1, 2, 3) / m.var[:, None]).flatten(1)), 6, "Scale",
    ),
    "by a matrix": (
        lambda: Call(lambda m, x: (x.view(-1, 1, 2) * m.parts[0].weight).flatten(1),
                     nn.Linear(2, 3)), 2, "Scale",
    ),
    "plus a matrix": (
        lambda: Call(lambda m, x: (x.view(-1, 1, 2) - m.parts[0].weight).flatten(1),
                     nn.Linear(2, 3)), 2, "Bias",
    ),
    "negative": (lambda: Call(lambda m, x: -torch.neg(-x)), 3, "Scale"),
    "computed weights": (
        lambda: Call(lambda m, x: F.linear(m.parts[0](x), m.parts[0].weight.T * 0.5),
                     nn.Linear(4, 3)), 4, "Linear",
    ),
    "centred": (lambda: Call(lambda m, x: x - x.mean(1, keepdim=True)), 4, "Subtract"),
    "repeated": (
        lambda: Call(lambda m, x: (x.view(-1, 3, 1) - m.parts[0](x).view(-1, 1, 2)).flatten(1),
                     nn.Linear(3, 2)), 3, "Subtract",
    ),
    "sum": (lambda: Call(lambda m, x: m.parts[0](x) + x, nn.Linear(4, 4)), 4, "Add"),
    "difference": (
        lambda: Call(lambda m, x: m.parts[0](x) - x, nn.Linear(4, 4)), 4, "Subtract",
    ),
    "unflatten": (lambda: image(), 32, "Axes"),
    "unflatten channels": (
        lambda: image(nn.Unflatten(1, (2, -1)), nn.Flatten(), nn.Unflatten(1, (4, 2, -1))),
        32, "Axes",
    ),
    "other flattenings": (
        lambda: image(nn.Flatten(-2), nn.Unflatten(2, (2, 8)), nn.Flatten(1, 2)), 32, "Axes",
    ),
    "squeeze": (
        lambda: Call(lambda m, x: torch.unsqueeze(m.parts[0](x.unsqueeze(-1).squeeze(2)), 1)
                     .squeeze(1), nn.Linear(3, 2)), 3, "Axes",
    ),
    "view": (lambda: Call(lambda m, x: x.view(x.size(0), 2, -1).reshape(-1, 6)), 6, "Reshape"),
    "shape": (lambda: Call(lambda m, x: x.reshape((x.shape[0], 3, 2)).flatten(1)), 6, "Reshape"),
    "conv2d": (lambda: image(nn.Conv2d(2, 3, 3, padding=1)), 32, "Convolution"),
    "strided": (lambda: image(nn.Conv2d(2, 4, 2, 2, groups=2, bias=False)), 32, "Convolution"),
    "dilated": (lambda: image(nn.Conv2d(2, 2, (2, 1), dilation=(2, 1))), 32, "Convolution"),
    "conv1d": (
        lambda: nn.Sequential(nn.Unflatten(1, (1, 7)), nn.Conv1d(1, 2, 3, 2, 1), nn.Flatten()),
        7, "Convolution",
    ),
    "conv function": (
        lambda: Call(
            lambda m, x: F.conv1d(x.unflatten(1, (1, 6)), m.kernel, m.bias, padding=1).flatten(1)
        ),
        6, "Convolution",
    ),
    "tokens": (
        lambda: Call(lambda m, x: m.parts[0](x.view(-1, 3, 4)).flatten(1), nn.Linear(4, 2)), 12,
        "Linear",
    ),
    "matmul": (lambda: Call(lambda m, x: x @ m.parts[0].weight, nn.Linear(3, 4)), 4, "Linear"),
    "matmul of tokens": (
        lambda: Call(lambda m, x: torch.matmul(x.view(-1, 2, 2), m.kernel[:, 0]).flatten(1)), 4,
        "Linear",
    ),
    "same": (lambda: image(nn.Conv2d(2, 3, (3, 5), padding="same")), 32, "Convolution"),
    "valid": (lambda: image(nn.Conv2d(2, 3, 3, padding="valid")), 32, "Convolution"),
    "same and one more": (lambda: image(nn.Conv2d(2, 3, (3, 2), padding="same")), 32, "Pad"),
    "same dilated": (
        lambda: nn.Sequential(nn.Unflatten(1, (1, 7)),
                              nn.Conv1d(1, 2, 4, padding="same", dilation=3), nn.Flatten()),
        7, "Pad",
    ),
    "circular": (
        lambda: image(nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="circular")), 32, "Pad",
    ),
    "reflected": (
        lambda: image(nn.Conv2d(2, 3, 3, 2, padding=1, padding_mode="reflect")), 32, "Pad",
    ),
    "same replicated": (
        lambda: image(nn.Conv2d(2, 3, 2, padding="same", padding_mode="replicate")), 32, "Pad",
    ),
    "zero padding": (lambda: image(nn.ZeroPad2d((0, 1, 2, 0)), nn.Conv2d(2, 1, 3)), 32, "Pad"),
    "pad function": (lambda: Call(lambda m, x: F.pad(x, (1, 2)).square()[:, 1:3] * 0 + F.pad(
        x.view(-1, 1, 2), (1, 0), mode="replicate").flatten(1)[:, :2]), 2, "Pad"),
    "transposed": (lambda: image(nn.ConvTranspose2d(2, 3, 2, 2)), 32, "ConvolutionTranspose"),
    "transposed in groups": (
        lambda: image(nn.ConvTranspose2d(2, 4, 3, 2, 1, 1, groups=2, bias=False, dilation=2)), 32,
        "ConvolutionTranspose",
    ),
    "transposed 1d": (
        lambda: Call(lambda m, x: F.conv_transpose1d(x.view(-1, 2, 3), m.kernel, m.bias[:1])
                     .flatten(1)), 6, "ConvolutionTranspose",
    ),
    "upsampled": (lambda: image(nn.Upsample(scale_factor=2)), 32, "Resize"),
    "resized": (lambda: image(nn.Upsample((3, 7), mode="bilinear")), 32, "Resize"),
    "interpolated": (
        lambda: Call(lambda m, x: F.interpolate(
            x.view(-1, 2, 3), scale_factor=1.5, mode="linear", align_corners=True).flatten(1)),
        6, "Resize",
    ),
    "padded pool": (lambda: image(nn.AvgPool2d(3, 2, 1)), 32, "AvgPool"),
    "padding that does not count": (
        lambda: image(nn.AvgPool2d(3, 2, 1, count_include_pad=False)), 32, "AvgPool",
    ),
    "pool beyond": (lambda: image(nn.AvgPool2d(3, 2, ceil_mode=True)), 32, "AvgPool"),
    "divided pool": (lambda: image(nn.AvgPool2d(3, 1, divisor_override=5)), 32, "AvgPool"),
    "to two": (lambda: image(nn.AdaptiveAvgPool2d(2)), 32, "AdaptivePool"),
    "to three": (lambda: image(nn.AdaptiveAvgPool2d((3, None))), 32, "AdaptivePool"),
    "to two 1d": (
        lambda: Call(lambda m, x: F.adaptive_avg_pool1d(x.view(-1, 2, 3), 2).flatten(1)), 6,
        "AdaptivePool",
    ),
    "sum over axes": (lambda: Call(lambda m, x: x.view(-1, 2, 4, 4).sum((-1, -2))), 32, "SumOver"),
    "avg pool": (lambda: image(nn.AvgPool2d(2)), 32, "AvgPool"),
    "overlapping": (lambda: image(nn.AvgPool2d(3, stride=1)), 32, "AvgPool"),
    "avg pool function": (
        lambda: Call(lambda m, x: F.avg_pool2d(x.view(-1, 1, 4, 4), 2).flatten(1)), 16, "AvgPool",
    ),
    "avg pool 1d": (
        lambda: nn.Sequential(nn.Unflatten(1, (2, 6)), nn.AvgPool1d(3), nn.Flatten()),
        12, "AvgPool",
    ),
    "to one": (lambda: image(nn.AdaptiveAvgPool2d(1)), 32, "MeanOver"),
    "mean": (lambda: Call(lambda m, x: x.view(-1, 2, 4, 4).mean((2, 3))), 32, "MeanOver"),
    "torch.mean": (lambda: Call(lambda m, x: torch.mean(x, -1, keepdim=True)), 4, "MeanOver"),
    "columns": (lambda: Call(lambda m, x: m.parts[0](x[:, 1:3]), nn.Linear(2, 2)), 5, "Pick"),
    "index": (
        lambda: Call(lambda m, x: x.view(-1, 3, 4)[:, ::2, None, 1:-1].flatten(1)), 12, "Pick",
    ),
    "last": (lambda: Call(lambda m, x: x.view(-1, 3, 4)[..., -1]), 12, "Pick"),
    "first": (lambda: Call(lambda m, x: m.parts[0](x.view(-1, 3, 4)[:, 0]), nn.Linear(4, 3)),
              12, "Pick"),
    "single": (lambda: Call(lambda m, x: torch.stack((x[:, 2], x[:, -1]), 1)), 4, "Pick"),
    "list": (lambda: Call(lambda m, x: x[:, [2, 0, -1, 0]]), 4, "Pick"),
    "buffered list": (lambda: Call(lambda m, x: x.index_select(1, m.mean.long() + 1)), 3, "Pick"),
    "masked": (lambda: Call(lambda m, x: x[:, m.mean > 0]), 2, "Pick"),
    "select": (lambda: Call(lambda m, x: x.view(-1, 3, 4).select(-1, 1)), 12, "Pick"),
    "narrow": (lambda: Call(lambda m, x: x.narrow(1, -3, 2)), 5, "Pick"),
    "chunk": (lambda: Call(lambda m, x: torch.sub(*_two(x.chunk(2, 1)))), 6, "Pick"),
    "odd chunk": (lambda: Call(lambda m, x: x.chunk(3, dim=-1)[2]), 8, "Pick"),
    "split": (lambda: Call(lambda m, x: x.split([1, 4], dim=1)[1]), 5, "Pick"),
    "even split": (lambda: Call(lambda m, x: torch.split(x, 2, 1)[-1]), 5, "Pick"),
    "unbind": (lambda: Call(lambda m, x: x.view(-1, 3, 2).unbind(1)[2]), 6, "Pick"),
    "transpose": (
        lambda: Call(lambda m, x: x.view(-1, 3, 2).transpose(1, 2).flatten(1)), 6, "Permute",
    ),
    "permute": (
        lambda: Call(lambda m, x: x.view(-1, 3, 2, 2).permute(0, 3, 1, 2).flatten(1)), 12,
        "Permute",
    ),
    "other orders": (
        lambda: Call(lambda m, x: torch.movedim(x.view(-1, 3, 2, 2).mT, 1, -1).flatten(1)), 12,
        "Permute",
    ),
    "channels last": (
        lambda: Call(lambda m, x: m.parts[0](x.view(-1, 4, 4, 2).permute(0, 3, 1, 2).contiguous())
                     .flatten(1), nn.Conv2d(2, 3, 3)), 32, "Permute",
    ),
    "flip": (lambda: Call(lambda m, x: x.view(-1, 3, 2).flip(1, -1).flatten(1)), 6, "Flip"),
    "cat": (
        lambda: Call(lambda m, x: torch.cat([m.parts[0](x), x, x], dim=1), nn.Linear(3, 2)),
        3, "Cat",
    ),
    "cat of images": (
        lambda: Call(lambda m, x: torch.cat((x.view(-1, 1, 2, 2), x.view(-1, 1, 2, 2)), -1)
                     .flatten(1)), 4, "Cat",
    ),
    "stack": (lambda: Call(lambda m, x: torch.stack([x, -x], -1).flatten(1)), 3, "Cat"),
    "dropout": (lambda: nn.Sequential(nn.Dropout(), nn.Linear(3, 2)).eval(), 3, "Linear"),
    "dropped channels": (
        lambda: image(nn.Dropout2d(), nn.Conv2d(2, 1, 2)).eval(), 32, "Convolution",
    ),
}  # fmt: skip
NONLINEAR = {
    "relu": (nn.ReLU, 4, "Elementwise"),
    "gelu": (nn.GELU, 4, "Elementwise"),
    "tanh": (nn.Tanh, 4, "Elementwise"),
    "sign": (Sign, 4, "Elementwise"),
    "step": (Heaviside, 4, "Elementwise"),
    "prelu": (lambda: nn.Sequential(nn.PReLU()), 4, "PReLU"),
    "prelu by channel": (lambda: image(slopes(nn.PReLU(2))), 32, "PReLU"),
    "prelu function": (lambda: Call(lambda m, x: F.prelu(x, m.bias)), 2, "PReLU"),
    "max pool": (lambda: image(nn.MaxPool2d(2)), 32, "MaxPool"),
    "product": (
        lambda: Call(lambda m, x: m.parts[0](x) * torch.tanh(x), nn.Linear(4, 4)),
        4,
        "Product",
    ),
    "channels weighed": (
        lambda: Call(
            lambda m, x: (x.view(-1, 2, 3) * x.view(-1, 2, 3).mean(2, keepdim=True)).flatten(1)
        ),
        6,
        "Product",
    ),
    "itself": (lambda: Call(lambda m, x: x * x), 3, "Elementwise"),
    "glu": (lambda: nn.GLU(), 6, "Product"),
    "glu of channels": (lambda: image(nn.GLU(1)), 32, "Product"),
    "glu function": (
        lambda: Call(lambda m, x: F.glu(m.parts[0](x), dim=1), nn.Linear(3, 4)),
        3,
        "Product",
    ),
    "padded max pool": (lambda: image(nn.MaxPool2d(3, 2, 1)), 32, "MaxPool"),
    "max pool of rows": (lambda: image(nn.MaxPool2d((1, 3), (2, 1), (0, 1))), 32, "MaxPool"),
    "max pool 1d": (
        lambda: nn.Sequential(nn.Unflatten(1, (2, 6)), nn.MaxPool1d(3), nn.Flatten()),
        12,
        "MaxPool",
    ),
    "max pool function": (
        lambda: Call(lambda m, x: F.max_pool2d(x.view(-1, 1, 4, 4), 3, padding=1).flatten(1)),
        16,
        "MaxPool",
    ),
    "layer norm": (lambda: norm(6), 6, "LayerNorm"),
    "layer norm of tokens": (
        lambda: Call(lambda m, x: m.parts[0](x.view(-1, 3, 4)).flatten(1), norm(4)),
        12,
        "LayerNorm",
    ),
    "rms norm": (lambda: nn.Sequential(nn.Linear(4, 6), weighed(nn.RMSNorm(6))), 4, "RMSNorm"),
    "rms norm of tokens": (
        lambda: Call(lambda m, x: F.rms_norm(x.view(-1, 3, 4), (4,), eps=0.1).flatten(1)),
        12,
        "RMSNorm",
    ),
    "group norm": (
        lambda: image(nn.Conv2d(2, 4, 3), weighed(nn.GroupNorm(2, 4))),
        32,
        "GroupNorm",
    ),
    "bare group norm": (
        lambda: Call(lambda m, x: F.group_norm(x.view(-1, 4, 2), 2).flatten(1)),
        8,
        "GroupNorm",
    ),
    "instance norm": (lambda: image(nn.InstanceNorm2d(2)), 32, "InstanceNorm"),
    "instance norm 1d": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (2, 6)), weighed(nn.InstanceNorm1d(2, affine=True)), nn.Flatten()
        ),
        12,
        "InstanceNorm",
    ),
    "unit length": (
        lambda: Call(lambda m, x: F.normalize(m.parts[0](x)), nn.Linear(3, 5)),
        3,
        "UnitLength",
    ),
    "unit tokens": (
        lambda: Call(lambda m, x: F.normalize(x.view(-1, 3, 4), dim=-1).flatten(1)),
        12,
        "UnitLength",
    ),
    "layer norm of images": (lambda: image(norm((2, 4, 4))), 32, "LayerNorm"),
    "layer norm without bias": (lambda: nn.LayerNorm(6, bias=False), 6, "LayerNorm"),
    "bare layer norm": (lambda: nn.LayerNorm(6, elementwise_affine=False), 6, "LayerNorm"),
}
BENDS = [
    nn.Sigmoid(), nn.SiLU(), nn.LeakyReLU(0.2), nn.ELU(1.5), nn.SELU(), nn.CELU(0.5),
    nn.Softplus(2.0), nn.Mish(), nn.GELU("tanh"), nn.Hardtanh(-0.5, 2.0), nn.ReLU6(),
    nn.Hardswish(), nn.Hardsigmoid(), nn.Softsign(), nn.Softshrink(0.3), nn.Tanhshrink(),
    nn.LogSigmoid(), nn.RReLU().eval(), Abs(), Square(),
]  # fmt: skip
NONLINEAR |= {str(m): (lambda m=m: nn.Sequential(m), 4, "Elementwise") for m in BENDS}
ROWS = {**LINEAR, **NONLINEAR}


def made(make):
    torch.manual_seed(0)
    return make()


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kinds(graph):
    """The operations that stand in a graph; what is read as several others is one of them."""
    return {type(n.op if n.part is None else n.part.whole).__name__ for n in graph.nodes}


@pytest.mark.parametrize("make, d, kind", ROWS.values(), ids=ROWS)
def test_graph_computes_what_the_module_does(make, d, kind):
    module, x = made(make), rand(1, 7, d)
    graph = read(module)
    assert kind in kinds(graph)
    values = activations_of(graph, x)
    torch.testing.assert_close(values[-1], module(x))
    assert tuple(v.shape[1] for v in values) == graph.widths(d)
    assert graph.forward_flops(d) >= 0.0


def test_every_operation_has_a_row():
    found = set().union(*(kinds(read(made(make))) for make, _, _ in ROWS.values()))
    assert {op.__name__ for op in OPERATIONS} - found == {"Passing"}  # leaves no node


def test_every_activation_has_a_row():
    graphs = [read(made(make)) for make, _, kind in NONLINEAR.values() if kind == "Elementwise"]
    assert {op.activation for g in graphs for op in (n.op for n in g.nodes[1:])} == {*ACTIVATIONS}


FUNCTIONS = {
    "sigmoid": (torch.sigmoid, "sigmoid", {}),
    "silu": (F.silu, "silu", {}),
    "method": (lambda x: x.sigmoid(), "sigmoid", {}),
    "leaky": (lambda x: F.leaky_relu(x, 0.3), "leaky_relu", {"negative_slope": 0.3}),
    "usual leak": (F.leaky_relu, "leaky_relu", {}),
    "elu": (lambda x: F.elu(x, alpha=2.0), "elu", {"alpha": 2.0}),
    "celu": (lambda x: F.celu(x, 2), "celu", {"alpha": 2.0}),
    "selu": (F.selu, "selu", {}),
    "softplus": (lambda x: F.softplus(x, beta=3), "softplus", {"beta": 3.0}),
    "mish": (F.mish, "mish", {}),
    "tanh gelu": (lambda x: F.gelu(x, approximate="tanh"), "tanh_gelu", {}),
    "relu6": (F.relu6, "hardtanh", {"min_val": 0.0, "max_val": 6.0}),
    "clamp": (lambda x: x.clamp(-2, max=1), "hardtanh", {"min_val": -2.0, "max_val": 1.0}),
    "clip": (lambda x: torch.clip(x, 0.0, 1.0), "hardtanh", {"min_val": 0.0, "max_val": 1.0}),
    "clamp from 0": (lambda x: x.clamp(min=0), "relu", {}),
    "hardtanh": (lambda x: F.hardtanh(x, -3.0), "hardtanh", {"min_val": -3.0}),
    "hardswish": (F.hardswish, "hardswish", {}),
    "hardsigmoid": (F.hardsigmoid, "hardsigmoid", {}),
    "softsign": (F.softsign, "softsign", {}),
    "softshrink": (F.softshrink, "softshrink", {}),
    "tanhshrink": (F.tanhshrink, "tanhshrink", {}),
    "logsigmoid": (F.logsigmoid, "logsigmoid", {}),
    "abs": (abs, "abs", {}),
    "absolute": (torch.absolute, "abs", {}),
    "square": (torch.square, "square", {}),
    "power": (lambda x: x**2, "square", {}),
    "pow": (lambda x: x.pow(2), "square", {}),
}


@pytest.mark.parametrize("f, name, settings", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_are_read_as_their_activation(f, name, settings):
    module = Call(lambda m, x: f(x))
    graph, x = read(module), 3.0 * rand(1, 9, 4)
    assert graph.nodes[-1].op.row == activation(name, **settings)
    torch.testing.assert_close(activations_of(graph, x)[-1], module(x))


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("make, d, kind", LINEAR.values(), ids=LINEAR)
def test_linear_operations_are_exact(make, d, kind, diagonal):
    """Against the matrix, read off from the images of the unit vectors."""
    module = made(make)
    with torch.no_grad():
        offset = module(torch.zeros(1, d))[0]
        matrix = (module(torch.eye(d)) - offset).T
        graph, k = read(module), len(offset)
        mean = rand(2, 3, d)
        root = rand(3, d, d)
        cov = rand(3, d).square() if diagonal else root @ root.T
        piece = Piece(torch.zeros(3), mean, cov)
        for propagator in ALL:
            if propagator.name == "mean":
                continue
            law, _ = propagator().law(graph, piece, torch.eye(k), torch.zeros(k))
            torch.testing.assert_close(law.mean, mean @ matrix.T + offset)
            whole = matrix @ (torch.diag(cov) if diagonal else cov) @ matrix.T
            torch.testing.assert_close(law.cov, whole.expand(3, k, k))
        if diagonal and all(len(node.inputs) == 1 for node in graph.nodes[1:]):
            laws = propagation_of("mean").laws(graph, piece)
            torch.testing.assert_close(laws[-1][0], mean @ matrix.T + offset)
            var = matrix.square() @ cov
            mixing = [r for r in graph.rules(d) if not all(a.diagonal for a in r.maps)]
            if len(mixing) <= 1:  # where one linear map alone stands between x and y
                torch.testing.assert_close(laws[-1][1].expand(3, k), var.expand(3, k))


@pytest.mark.parametrize("make, d, kind", ROWS.values(), ids=ROWS)
def test_bounds_hold_and_scales_of_nothing_leave_the_module(make, d, kind):
    """Bounds contain what is sampled in their box; `Smoothed` without noise is M itself."""
    module, x = made(make), rand(1, 200, d).clamp(-1.0, 1.0)
    graph = read(module)
    with torch.no_grad():
        y = module(x)
        scales = {i: torch.tensor(1e-9) for i in range(len(graph.nodes))}
        torch.testing.assert_close(Smoothed(graph, scales)(x), y, rtol=1e-6, atol=1e-6)
        try:
            path = moves(graph, d, torch.float64)
        except wb.Unsupported as refusal:
            assert "affine and elementwise operations are needed" in str(refusal)
            return
        one = torch.ones(1, d)
        eye, k = torch.eye(y.shape[1]), y.shape[1]
        frame = Frame(torch.zeros(d), torch.eye(d))
        found = bound(path, frame, Region.box(-one, one), eye, torch.zeros(k))
        low, high = intervals(path, -one, one)[-1]
        for least, most in ((found.least, found.most), (low, high)):
            assert bool((least <= y).all() and (y <= most).all())


NORMS = {k: v for k, v in NONLINEAR.items() if "norm" in k or "unit" in k}


@pytest.mark.parametrize("make, d, kind", NORMS.values(), ids=NORMS)
def test_searches_have_second_derivatives_of_norms(make, d, kind):
    """All at once, as the searches of `conditioned` take them, and one after the other."""
    module, x = made(make), rand(1, d)
    graph = read(module)
    noise = {i: torch.tensor(1.0) for i in range(len(graph.nodes))}

    def value(x):
        return Smoothed(graph, noise)(x[None]).square().sum()

    at_once, singly = (
        torch.autograd.functional.hessian(value, x, vectorize=many) for many in (True, False)
    )
    torch.testing.assert_close(at_once, singly)


def propagation_of(name):
    return {cls.name: cls for cls in ALL}[name]()


def quadratic():
    """Outputs (B x)_i (C x)_i + (E x)_i, and what they are of x."""
    torch.manual_seed(0)
    maps = [nn.Linear(4, 3, bias=False) for _ in range(3)]
    module = Call(lambda m, x: m.parts[0](x) * m.parts[1](x) + m.parts[2](x), *maps)
    b, c, e = (layer.weight.detach() for layer in maps)
    forms = 0.5 * (b[:, :, None] * c[:, None] + c[:, :, None] * b[:, None])
    return module, forms, e


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
def test_products_of_gaussians_have_exact_moments(cls):
    """y_i = x' A_i x + e_i' x: cumulants by traces, to the order that is carried."""
    module, forms, e = quadratic()
    mean, root = rand(1, 4), 0.5 * rand(2, 4, 4)
    s = root @ root.T
    slope = 2.0 * forms @ mean + e
    product = forms @ s
    with torch.no_grad():
        law, _ = cls().law(
            read(module), Piece(torch.zeros(()), mean, s), torch.eye(3), torch.zeros(3)
        )
    if cls.name == "mean":
        return  # takes u + v and u - v for independent
    exact = (forms @ mean @ mean) + e @ mean + product.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(law.mean, exact)
    pairs = torch.einsum("iab,jba->ij", product, product)
    torch.testing.assert_close(law.cov, 2.0 * pairs + slope @ s @ slope.T)
    if law.third is not None:
        cubes = torch.einsum("iab,ibc,ica->i", product, product, product)
        bent = torch.einsum("ia,iab,ib->i", slope @ s, forms, slope @ s)
        torch.testing.assert_close(law.third, 8.0 * cubes + 6.0 * bent)


def test_gradients_through_a_product():
    module, _, _ = quadratic()

    def value(mean):
        problem = wb.Problem(wb.Gaussian(mean, torch.ones(4)), module, wb.Halfspace(torch.ones(3)))
        return wb.Moments()(problem).log_p

    assert torch.autograd.gradcheck(value, rand(3, 4).requires_grad_())


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2), nn.GELU(), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip


def densified(module, d):
    """The same network with every linear step written out as a matrix."""
    parts, shape = [], (d,)
    for part in module:
        if isinstance(part, nn.ReLU | nn.GELU):
            parts.append(part)
            continue
        n = math.prod(shape)
        with torch.no_grad():
            bias = part(torch.zeros(1, *shape))
            rows = part(torch.eye(n).reshape(n, *shape)) - bias
        layer = nn.Linear(n, math.prod(bias.shape))
        layer.weight = nn.Parameter(rows.flatten(1).T.contiguous())
        layer.bias = nn.Parameter(bias.flatten())
        parts.append(layer)
        shape = tuple(bias.shape[1:])
    return nn.Sequential(*parts)


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
def test_a_convolutional_net_is_its_dense_twin(cls):
    module, d = made(convolutional), 36
    twin = densified(module, d)
    gaussian = wb.Gaussian(0.3 * rand(0, d), 0.5 + rand(1, d).abs())
    a, b = torch.eye(2), torch.zeros(2)
    if cls is Cumulant4:  # of 48 values in a layer
        with pytest.raises(wb.Unsupported, match="use 'cumulant' on wider ones"):
            cls().law(read(module), gaussian.pieces()[0], a, b)
        return
    with torch.no_grad():
        one, _ = cls().law(read(module), gaussian.pieces()[0], a, b)
        two, _ = cls().law(read(twin), gaussian.pieces()[0], a, b)
        torch.testing.assert_close(one.mean, two.mean)
        torch.testing.assert_close(one.cov, two.cov)


def test_gradients_through_a_convolution():
    module, d = made(convolutional), 36
    mean = (0.3 * rand(0, d)).requires_grad_()

    def value(mean):
        problem = wb.Problem(
            wb.Gaussian(mean, torch.ones(d)), module, wb.Halfspace(torch.tensor([1.0, -1.0]), -1.0)
        )
        return wb.Moments()(problem).log_p

    assert torch.autograd.gradcheck(value, mean)


def test_a_step_in_the_middle_against_enumeration():
    """Heaviside units on independent inputs: y counts how many are positive."""
    p = torch.tensor([0.1, 0.5, 0.9])
    mean = torch.special.ndtri(p)
    module = nn.Sequential(Heaviside(), nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        module[1].weight[:] = 1.0
    with torch.no_grad():
        law, _ = Covariance().law(
            read(module), Piece(torch.zeros(()), mean, torch.ones(3)), torch.eye(1), torch.zeros(1)
        )
    assert float(law.mean) == pytest.approx(float(p.sum()), rel=1e-12)
    assert float(law.cov) == pytest.approx(float((p * (1 - p)).sum()), rel=1e-12)


@pytest.mark.parametrize("slope", [0.25, -0.7])
def test_prelu_is_leaky_relu_with_a_gradient_in_its_slope(slope):
    """Law, bounds and gradient, where the slope stands once as a weight and once as a number."""
    pre, leaky = nn.PReLU(init=slope), nn.LeakyReLU(slope)
    root, mean = rand(3, 4, 4), rand(4, 4)
    piece, a, b = Piece(torch.zeros(()), mean, root @ root.T), rand(5, 2, 4), torch.zeros(2)
    for propagator in (Covariance(12), Cumulant4()):
        one, two = (propagator.law(read(nn.Sequential(m)), piece, a, b)[0] for m in (pre, leaky))
        torch.testing.assert_close(one.mean, two.mean)
        torch.testing.assert_close(one.cov, two.cov)
    (slopes,) = torch.autograd.grad(one.mean.sum(), [pre.weight])
    assert math.isfinite(float(slopes)) and float(slopes) != 0.0
    low, high = mean[None] - 1.0, mean[None] + 1.0
    x = low + (high - low) * torch.rand(4000, 4, generator=torch.Generator().manual_seed(0))
    path = moves(read(nn.Sequential(pre)), 4, torch.float64)
    frame, region = Frame(torch.zeros(4), torch.eye(4)), Region.box(low, high)
    found, s = bound(path, frame, region, a, b), pre(x) @ a.T
    assert bool((s >= found.least).all()) and bool((s <= found.most).all())


REFUSED = {
    "cropped": (Call(lambda m, x: F.pad(x, (-1, 0))), "pad that crops"),
    "padded with ones": (nn.ConstantPad1d(1, 1.0), "ConstantPad1d by other than 0"),
    "area": (Call(lambda m, x: F.interpolate(x, 2, mode="area")), "interpolate in mode 'area'"),
    "vector": (Call(lambda m, x: x @ m.mean), "matmul other than x @ a matrix"),
    "matrix first": (Call(lambda m, x: m.kernel[:, 0] @ x), "matmul other than x @ a matrix"),
    "sum of all": (Call(lambda m, x: x.sum()), "sum over the batch axis"),
    "mean of all": (Call(lambda m, x: x.mean()), "mean over the batch axis"),
    "across the batch": (Call(lambda m, x: x.view(2, -1)), "does not keep the batch axis"),
    "half at 0": (Call(lambda m, x: torch.heaviside(x, m.bias)), "that is not 0 at 0"),
    "flat batch": (nn.Flatten(0), "Flatten that may not keep the batch axis"),
    "any squeeze": (Call(lambda m, x: x.squeeze()), "squeeze that may not keep the batch axis"),
    "some inputs": (Call(lambda m, x: x[1:]), "indexing that does not keep the batch axis"),
    "running": (nn.InstanceNorm1d(3, track_running_stats=True).eval(), "with running statistics"),
    "length 1": (Call(lambda m, x: F.normalize(x, p=1)), "normalize but to length 1 along an axis"),
    "gates of a batch": (nn.GLU(0), "GLU along the batch axis"),
    "two lists": (Call(lambda m, x: x[:, [0], [1]]), "a list beside another list"),
    "index of x": (Call(lambda m, x: x[:, x]), "indexing by other than numbers"),
    "chunked batch": (Call(lambda m, x: x.chunk(2)[0]), "chunk along the batch axis"),
    "pieces": (Call(lambda m, x: x.chunk(3, 1)[:2]), "more than one piece is taken"),
    "cat of a buffer": (Call(lambda m, x: torch.cat([x, m.mean], 1)), "cat of other than values"),
    "cat of inputs": (Call(lambda m, x: torch.cat([x, x])), "cat along the batch axis"),
    "turned": (Call(lambda m, x: x.T), "operation getattr"),
    "wide pool": (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d with dilation, ceil_mode or"),
    "half padded": (nn.MaxPool1d(2, 1, 1), "MaxPool1d with a padding of half its kernel"),
    "dilated pool": (Call(lambda m, x: F.max_pool1d(x, 2, dilation=2)), "max_pool1d with dilation"),
    "bias of x": (Call(lambda m, x: F.linear(x, m.mean[None], bias=x)), "operation"),
    "layer norm by x": (Call(lambda m, x: F.layer_norm(x, (2,), weight=x)), "layer_norm"),
    "convolved with bias of x": (Call(lambda m, x: F.conv1d(x, m.kernel, bias=x)), "conv1d"),
    "a number by x": (Call(lambda m, x: 1.0 / x), "division by a value that depends"),
    "less infinity": (Call(lambda m, x: x - math.inf), "operation sub"),
    "rounded": (Call(lambda m, x: torch.div(x, 2, rounding_mode="floor")), "operation div"),
    "clamped from above": (Call(lambda m, x: x.clamp(max=1.0)), "clamp on one side only"),
    "clamped by x": (Call(lambda m, x: x.clamp(x, 1.0)), "clamp with a setting that is no number"),
    "cube": (Call(lambda m, x: x**3), "operation pow"),
    "leaky by x": (Call(lambda m, x: F.leaky_relu(x, x)), "leaky_relu with a setting that is no"),
    "blunt softplus": (nn.Softplus(1.0, 5.0), "Softplus .softplus needs a beta above 0"),
    "random leak": (nn.RReLU(), "operation RReLU"),
    "conv of x": (Call(lambda m, x: F.conv1d(x, x)), "operation conv1d"),
}


@pytest.mark.parametrize("module, said", REFUSED.values(), ids=REFUSED)
def test_forms_that_are_not_known_are_named(module, said):
    with pytest.raises(wb.Unsupported, match=said):
        read(nn.Sequential(module))


MISFITS = {
    "flat image": (nn.Conv2d(1, 1, 3), 9, "put an nn.Unflatten before it"),
    "unflatten": (nn.Unflatten(1, (2, 4)), 9, "cannot unflatten a value of shape"),
    "view": (Call(lambda m, x: x.view(-1, 2, 4)), 9, r"makes \(2, 4\) of 9 values"),
    "pool": (nn.AvgPool2d(2), 9, "takes 3 axes"),
    "channels": (nn.BatchNorm1d(4).eval(), 9, r"normalises 4 channels but is fed \(9,\)"),
    "kernel": (nn.Sequential(nn.Unflatten(1, (1, 9)), nn.Conv1d(1, 1, 10)), 9, "[Kk]ernel size"),
    "window": (nn.Sequential(nn.Unflatten(1, (1, 9)), nn.AvgPool1d(10)), 9, "is fed .* [Oo]utput"),
    "adaptive": (nn.AdaptiveAvgPool2d(2), 9, "takes 3 axes"),
    "padding": (nn.ZeroPad2d(1), 9, "puts values around 2 axes of a value"),
    "reflection": (nn.ReflectionPad1d(9), 9, "is fed .9,.: .*[Pp]adding"),
    "upsampled": (nn.Upsample(scale_factor=2), 9, "resizes 1 axes of"),
    "resized": (nn.Sequential(nn.Unflatten(1, (1, 9)), nn.Upsample((2, 2))), 9, "resizes 2 axes"),
    "max pool": (nn.MaxPool2d(2), 9, "takes windows of 2 along axis -1"),
    "short": (nn.Sequential(nn.Unflatten(1, (1, 9)), nn.MaxPool1d(10)), 9, "takes windows of 10"),
    "difference": (Call(lambda m, x: x - x[:, :2]), 9, "subtracts values of shapes"),
    "beyond": (Call(lambda m, x: x[:, 9]), 9, r"takes entries \[9\] along an axis of 9"),
    "nothing": (Call(lambda m, x: x[:, 9:]), 9, "takes nothing along an axis"),
    "axes": (Call(lambda m, x: x[:, 1, 1]), 9, "takes entries along 2 axes of a value of shape"),
    "no input": (Call(lambda m, x: x[..., 0, 0]), 9, "takes entries along 2 axes"),
    "third": (Call(lambda m, x: x.chunk(2, 1)[2]), 9, "takes piece 2 of 2"),
    "moved batch": (Call(lambda m, x: x.transpose(-1, -2)), 9, "moves the batch axis"),
    "no axes": (Call(lambda m, x: x.transpose(1, 2)), 9, "orders 2 axes anew: Dimension out"),
    "flip": (Call(lambda m, x: x.flip(2)), 9, "turns axes .2. of 2"),
    "joined": (Call(lambda m, x: torch.cat([x, x[:, None]], 1)), 9, "joins values of shapes"),
    "joined inputs": (Call(lambda m, x: torch.cat([x, x], -2)), 9, "joins values along axis -2"),
    "batch flattened": (nn.Flatten(-2), 9, "makes one of the batch axis"),
    "bias": (Call(lambda m, x: x - m.mean), 9, "adds .2,. and a value of shape .9,."),
    "factor": (Call(lambda m, x: x * m.kernel), 9, "multiplies .2, 1, 2. and a value of shape"),
    "sum": (Call(lambda m, x: x + x.mean(1)), 9, "adds values of shapes"),
    "rms norm": (nn.RMSNorm(4), 9, r"normalises \(4,\) but is fed \(9,\)"),
    "group norm": (nn.GroupNorm(2, 4), 9, r"normalises 2 groups of channels but is fed \(9,\)"),
    "instance norm": (nn.InstanceNorm1d(9), 9, "normalises channels of two values or more"),
    "unit rows": (
        Call(lambda m, x: F.normalize(x.view(-1, 3, 3), dim=1)),
        9,
        "the last axis alone",
    ),
    "gate": (nn.GLU(), 9, "multiplies values of shapes"),
    "norm": (nn.LayerNorm(4), 9, r"normalises \(4,\) but is fed \(9,\)"),
    "mean": (Call(lambda m, x: x.mean(2)), 9, "takes the mean over axes"),
}


@pytest.mark.parametrize("module, d, said", MISFITS.values(), ids=MISFITS)
def test_shapes_that_do_not_fit_name_the_place(module, d, said):
    with pytest.raises(wb.BadInput, match=said):
        read(nn.Sequential(module)).widths(d)


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


def test_normalising_leaves_independent_inputs_so():
    """The covariance of (x - mean) / std stays a diagonal, so that wide inputs stay cheap."""
    module = made(lambda: Call(lambda m, x: (x - 0.5) / m.var))
    carrier = Covariance().start(Piece(torch.zeros(()), torch.zeros(2), torch.ones(2)))
    for i, rule in enumerate(read(module).rules(2), start=1):
        carrier.affine(i, (i - 1,), rule, set())
    assert carrier.blocks[2, 2].diagonal


def test_the_guide_has_every_operation():
    guide = (Path(__file__).parents[1] / "docs" / "guide" / "own.md").read_text()
    table = " ".join(line for line in guide.splitlines() if line.startswith("| "))
    words = [word for op in OPERATIONS for word in op.about.split(", ")]
    bends = [getattr(row.torch_module, "__name__", row.name) for row in ACTIVATIONS.values()]
    assert [word for word in (*words, *bends) if word not in table and word != "tanh_gelu"] == []


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
