"""Rows of activations, norms, maxima, products and softmaxes."""

import math

import torch
import torch.nn.functional as F
from operation_parts import Call, image
from torch import nn

from workbench.models import Abs, Heaviside, Sign, Square


def norm(n):
    return weighed(nn.LayerNorm(n))


def weighed(layer):
    """A norm with weights at random, and biases where it has them."""
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0)
        if getattr(layer, "bias", None) is not None:
            layer.bias.normal_()
    return layer


def _sized(m, x):
    b, d = x.shape  # as code that asks for sizes
    y = x.view(b, d // 2, 2).transpose(1, 2).contiguous()
    return (y / math.sqrt(y.size(-1)) * y.ndim).view(y.shape[0], -1).relu()


def slopes(layer):
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-0.5, 0.3]))
    return layer


# What is read, the length of its input, and the operation that must stand in its graph.
ROWS = {
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


ROWS |= {
    "softmax": (lambda: nn.Sequential(nn.Linear(3, 5), nn.Softmax(1)), 3, "Softmax"),
    "softmax of two": (lambda: nn.Softmax(-1), 2, "Softmax"),
    "softmax of one": (lambda: Call(lambda m, x: x.softmax(1)), 1, "Softmax"),
    "softmax of channels": (lambda: image(nn.Softmax(1)), 32, "Softmax"),
    "softmin": (lambda: Call(lambda m, x: F.softmax(-x.view(-1, 2, 3), -1).flatten(1)), 6,
                "Softmax"),
    "softmin layer": (lambda: nn.Softmin(1), 3, "Softmax"),
    "softmax 2d": (lambda: image(nn.Softmax2d()), 32, "Softmax"),
    "log softmax": (lambda: nn.LogSoftmax(1), 7, "LogSoftmax"),
    "log softmax function": (
        lambda: Call(lambda m, x: x.view(-1, 2, 3).log_softmax(2).flatten(1)), 6, "LogSoftmax",
    ),
    "logsumexp": (lambda: Call(lambda m, x: x.view(-1, 2, 3).logsumexp(-1)), 6, "LogSumExp"),
    "logsumexp kept": (lambda: Call(lambda m, x: x.logsumexp(1, True)), 4, "LogSumExp"),
    "logsumexp of one": (lambda: Call(lambda m, x: x.logsumexp(1, True)), 1, "LogSumExp"),
    "maximum": (
        lambda: Call(lambda m, x: torch.maximum(m.parts[0](x), x), nn.Linear(4, 4)), 4, "Maximum",
    ),
    "minimum": (
        lambda: Call(lambda m, x: m.parts[0](x).minimum(x), nn.Linear(4, 1)), 4, "Maximum",
    ),
    "max of two": (lambda: Call(lambda m, x: torch.max(x, -x.flip(1))), 4, "Maximum"),
    "amax": (lambda: Call(lambda m, x: x.view(-1, 2, 3).relu().amax(2)), 6, "Greatest"),
    "amin": (lambda: Call(lambda m, x: x.amin(-1, keepdim=True)), 5, "Greatest"),
    "global max": (lambda: Call(lambda m, x: x.view(-1, 2, 2, 3).amax((2, 3))), 12, "Greatest"),
    "max over an axis": (lambda: Call(lambda m, x: x.view(-1, 2, 3).max(1)[0]), 6, "Greatest"),
    "min over an axis": (
        lambda: Call(lambda m, x: x.view(-1, 2, 3).min(dim=1, keepdim=True).values.flatten(1)), 6,
        "Greatest",
    ),
    "maximum of a buffer": (lambda: Call(lambda m, x: torch.maximum(x, m.mean)), 2, "Maximum"),
    "minimum of a buffer": (
        lambda: Call(lambda m, x: torch.minimum(m.mean, m.parts[0](x)), nn.Linear(3, 2)), 3,
        "Maximum",
    ),
    "clamp by buffers": (lambda: Call(lambda m, x: x.clamp(m.mean, m.mean + 1.5)), 2, "Maximum"),
    "clamp_min by a buffer": (lambda: Call(lambda m, x: torch.clamp_min(x, m.mean)), 2, "Maximum"),
    "adaptive max": (
        lambda: image(nn.Conv2d(2, 3, 3), nn.AdaptiveMaxPool2d((1, 1))), 32, "Greatest",
    ),
    "adaptive max of a function": (
        lambda: Call(lambda m, x: F.adaptive_max_pool1d(x.view(-1, 2, 6), 1).flatten(1)), 12,
        "Greatest",
    ),
    "max of one": (lambda: Call(lambda m, x: x.amax(1, True)), 1, "Greatest"),
    "sizes": (lambda: Call(_sized), 6, "Reshape"),
    "clamp from below": (lambda: Call(lambda m, x: x.clamp(min=-0.3)), 4, "Elementwise"),
    "clamp from above": (lambda: Call(lambda m, x: x.clamp_max(0.3)), 4, "Elementwise"),
    "cube": (lambda: Call(lambda m, x: x**3), 4, "Elementwise"),
    "fourth power": (lambda: Call(lambda m, x: torch.pow(x, 4)), 4, "Elementwise"),
    "exp": (lambda: Call(lambda m, x: torch.exp(0.5 * x)), 4, "Elementwise"),
    "sin": (lambda: Call(lambda m, x: torch.sin(x)), 4, "Elementwise"),
    "cos": (lambda: Call(lambda m, x: (3.0 * x).cos()), 4, "Elementwise"),
}  # fmt: skip


BENDS = [
    nn.Sigmoid(), nn.SiLU(), nn.LeakyReLU(0.2), nn.ELU(1.5), nn.SELU(), nn.CELU(0.5),
    nn.Softplus(2.0), nn.Mish(), nn.GELU("tanh"), nn.Hardtanh(-0.5, 2.0), nn.ReLU6(),
    nn.Hardswish(), nn.Hardsigmoid(), nn.Softsign(), nn.Softshrink(0.3), nn.Tanhshrink(),
    nn.LogSigmoid(), nn.RReLU().eval(), Abs(), Square(),
]  # fmt: skip


ROWS |= {str(m): (lambda m=m: nn.Sequential(m), 4, "Elementwise") for m in BENDS}
