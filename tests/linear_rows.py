"""Rows of operations that are affine."""

import torch
import torch.nn.functional as F
from operation_parts import Call, image
from torch import nn

from workbench.models import Shift


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


# What is read, the length of its input, and the operation that must stand in its graph.
ROWS = {
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
    "roll": (
        lambda: Call(lambda m, x: x.view(-1, 3, 2).roll((1, -1), (1, 2)).flatten(1)), 6, "Pick",
    ),
    "roll of a function": (lambda: Call(lambda m, x: torch.roll(x, shifts=2, dims=-1)), 5, "Pick"),
    "repeat": (lambda: Call(lambda m, x: x.view(-1, 3, 2).repeat(1, 2, 1).flatten(1)), 6, "Pick"),
    "tile": (lambda: Call(lambda m, x: torch.tile(x, (2,))), 3, "Pick"),
    "repeat_interleave": (lambda: Call(lambda m, x: x.repeat_interleave(2, dim=1)), 3, "Pick"),
    "unfold": (lambda: Call(lambda m, x: x.unfold(1, 3, 2).mean(-1)), 7, "Pick"),
    "pixel shuffle": (lambda: image(nn.PixelUnshuffle(2), nn.PixelShuffle(2)), 32, "Pick"),
    "pixel shuffle of a function": (
        lambda: Call(lambda m, x: F.pixel_unshuffle(x.view(-1, 1, 4, 4), 2).flatten(1)), 16, "Pick",
    ),
    "channel shuffle": (lambda: image(nn.ChannelShuffle(2), nn.Conv2d(2, 1, 3)), 32, "Pick"),
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
