"""Every operation that propagation reads: one row each, networks as code has them."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from workbench.models import Abs, Heaviside, Shift, Sign, Square


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


def _sized(m, x):
    b, d = x.shape  # as code that asks for sizes
    y = x.view(b, d // 2, 2).transpose(1, 2).contiguous()
    return (y / math.sqrt(y.size(-1)) * y.ndim).view(y.shape[0], -1).relu()


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


NONLINEAR |= {
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


def _parts(m, x):
    """Queries, keys and values of 3 tokens 4 wide in 2 heads, `(batch, head, token, 2)`."""
    h = x.view(-1, 3, 4)
    q, k, v = m.parts[0](h).chunk(3, dim=-1)
    return [y.view(y.size(0), y.size(1), 2, -1).transpose(1, 2) for y in (q, k, v)]


def by_hand(m, x):
    """Causal attention as tutorials write it, its mask cut to the length of the input."""
    b, d = x.shape
    q, k, v = _parts(m, x)
    scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    t = q.size(2)
    scores = scores.masked_fill(m.lower[:t, :t] == 0, float("-inf"))
    y = F.softmax(scores, dim=-1) @ v
    return y.transpose(1, 2).contiguous().view(b, d)


def fused(**how):
    def attend(m, x):
        given = {k: getattr(m, v) if isinstance(v, str) else v for k, v in how.items()}
        y = F.scaled_dot_product_attention(*_parts(m, x), **given)
        return y.transpose(1, 2).reshape(-1, 12)

    return attend


def by_einsum(m, x):
    q, k, v = _parts(m, x)
    weights = torch.einsum("bhqd, bhkd -> bhqk", q, k).softmax(-1)
    return torch.einsum("bhqk,bhkd->bqhd", [weights, v]).reshape(-1, 12)


def of_heads(**how):
    def attend(m, x):
        h = x.view(-1, 3, 4)
        given = {k: getattr(m, v) if isinstance(v, str) else v for k, v in how.items()}
        y, _ = m.parts[0](h, h, h, **given)
        return y.flatten(1)

    return attend


def encoded(m, x):
    return m.parts[0](x.view(-1, 3, 4)).flatten(1)


def layer(bend="relu", first=False, bias=True):
    return nn.TransformerEncoderLayer(4, 2, 6, 0.1, bend, batch_first=True, norm_first=first,
                                      bias=bias)  # fmt: skip


def heads(**how):
    return nn.MultiheadAttention(4, 2, batch_first=True, **how)


def eval_of(f, *parts):
    return Call(f, *parts).eval()


NONLINEAR |= {
    "matmul of two": (
        lambda: Call(lambda m, x: (x.view(-1, 2, 3) @ x.view(-1, 3, 2)).flatten(1)), 6,
        "MatrixProduct",
    ),
    "bmm": (
        lambda: Call(lambda m, x: torch.bmm(
            m.parts[0](x).view(-1, 1, 3), x.view(-1, 3, 2)).flatten(1), nn.Linear(6, 3)),
        6, "MatrixProduct",
    ),
    "outer products": (
        lambda: Call(lambda m, x: torch.einsum("bi,bj->bij", x, m.parts[0](x)).flatten(1),
                     nn.Linear(3, 2)), 3, "Einsum",
    ),
    "masked": (
        lambda: Call(lambda m, x: x.view(-1, 3, 3).masked_fill(m.lower, 0.5).flatten(1)), 9,
        "Masked",
    ),
    "where": (lambda: Call(lambda m, x: torch.where(m.mean > 0, x, m.mean)), 2, "Masked"),
    "where not": (lambda: Call(lambda m, x: torch.where(m.mean > 0, 0.25, x)), 2, "Masked"),
    "attention by hand": (lambda: eval_of(by_hand, nn.Linear(4, 12)), 12, "Softmax"),
    "attention by einsum": (lambda: eval_of(by_einsum, nn.Linear(4, 12)), 12, "Einsum"),
    "attention": (lambda: eval_of(fused(), nn.Linear(4, 12)), 12, "Attention"),
    "causal attention": (
        lambda: eval_of(fused(is_causal=True, scale=0.3), nn.Linear(4, 12)), 12, "Attention",
    ),
    "masked attention": (
        lambda: eval_of(fused(attn_mask="lower"), nn.Linear(4, 12)), 12, "Attention",
    ),
    "biased attention": (
        lambda: eval_of(fused(attn_mask="added"), nn.Linear(4, 12)), 12, "Attention",
    ),
    "heads": (lambda: eval_of(of_heads(), heads()), 12, "MultiheadAttention"),
    "heads alone": (
        lambda: eval_of(of_heads(need_weights=False), heads(bias=False)), 12, "MultiheadAttention",
    ),
    "masked heads": (
        lambda: eval_of(of_heads(need_weights=False, attn_mask="upper"), heads()), 12,
        "MultiheadAttention",
    ),
    "biased heads": (
        lambda: eval_of(of_heads(attn_mask="added"), heads()), 12, "MultiheadAttention",
    ),
    "encoder layer": (lambda: eval_of(encoded, layer()), 12, "EncoderLayer"),
    "encoder layer that begins anew": (
        lambda: eval_of(encoded, layer("gelu", True, False)), 12, "EncoderLayer",
    ),
    "encoder": (
        lambda: eval_of(encoded, nn.TransformerEncoder(
            layer("gelu", True), 2, nn.LayerNorm(4), enable_nested_tensor=False)),
        12, "EncoderLayer",
    ),
    "causal encoder": (
        lambda: eval_of(lambda m, x: m.parts[0](x.view(-1, 3, 4), m.causal).flatten(1),
                        nn.TransformerEncoder(layer(), 1, enable_nested_tensor=False)),
        12, "EncoderLayer",
    ),
}  # fmt: skip


def recurrent(steps, width):
    def states(m, x):
        y, _ = m.parts[0](x.view(-1, steps, width))
        return y[:, -1]

    return states


last_state = recurrent(4, 3)


def all_states(m, x):
    return m.parts[0](x.view(-1, 4, 3))[0].flatten(1)


NONLINEAR |= {
    "rnn": (lambda: Call(last_state, nn.RNN(3, 2, batch_first=True)), 12, "Recurrent"),
    "rnn of relu": (
        lambda: Call(all_states, nn.RNN(3, 2, 2, "relu", False, True)), 12, "Recurrent",
    ),
    "gru": (lambda: Call(all_states, nn.GRU(3, 2, batch_first=True)), 12, "Recurrent"),
    "gru without bias": (
        lambda: Call(last_state, nn.GRU(3, 2, bias=False, batch_first=True)), 12, "Recurrent",
    ),
    "lstm": (lambda: Call(last_state, nn.LSTM(3, 2, 2, batch_first=True)), 12, "Recurrent"),
    "lstm both ways": (
        lambda: Call(all_states, nn.LSTM(3, 2, batch_first=True, bidirectional=True)), 12,
        "Recurrent",
    ),
}  # fmt: skip


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


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2), nn.GELU(), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
