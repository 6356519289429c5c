"""Forms in which code has an operation, and those that are refused by name."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from attending_rows import layer
from operation_parts import Call, rand
from torch import nn

import workbench as wb
from workbench.graph import activations_of, read
from workbench.graph.operations import ALL as OPERATIONS
from workbench.math.activations import ACTIVATIONS, activation

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
    "matrix of x and more": (Call(lambda m, x: torch.einsum("bi,bj", x, x)), "einsum .two values"),
    "trace": (
        Call(lambda m, x: torch.einsum("bii,bij->bj", x, x)),
        "einsum .two values that begin",
    ),
    "einsum of weights": (
        Call(lambda m, x: torch.einsum("bi,ij->bj", x, m.kernel)),
        "einsum other",
    ),
    "mask of x": (Call(lambda m, x: torch.where(x > 0, x, 0.0)), "operation gt"),
    "queries by name": (
        Call(lambda m, x: F.scaled_dot_product_attention(query=x, key=x, value=x)),
        "other than of query, key, value in a row",
    ),
    "dropped attention": (
        Call(lambda m, x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)),
        "with dropout",
    ),
    "sequence first": (
        Call(lambda m, x: m.parts[0](x, x, x)[0], nn.MultiheadAttention(2, 1)),
        "MultiheadAttention without batch_first",
    ),
    "batch first of steps first": (
        Call(
            lambda m, x: m.parts[0](*[x.view(-1, 2, 2).transpose(0, 1)] * 3)[0],
            nn.MultiheadAttention(2, 1, batch_first=True),
        ),
        "MultiheadAttention with batch_first=True of values whose batch axis is the second",
    ),
    "reshape of steps first": (
        Call(lambda m, x: x.view(-1, 2, 2).transpose(0, 1).reshape(4, -1)),
        "reshape of values whose batch axis is not the first",
    ),
    "one input of steps first": (
        Call(lambda m, x: x.view(-1, 2, 2).transpose(0, 1)[:, 0]),
        "getitem of values whose batch axis is not the first",
    ),
    "two axes beside steps first": (
        Call(lambda m, x: x.view(-1, 2, 2).transpose(0, 1) + m.parts[0].weight, nn.Linear(2, 2)),
        "add of values whose batch axis is not the first",
    ),
    "attention in training": (
        Call(
            lambda m, x: m.parts[0](x, x, x)[0], nn.MultiheadAttention(2, 1, 0.1, batch_first=True)
        ),
        "MultiheadAttention in training mode",
    ),
    "attention weights": (
        Call(
            lambda m, x: m.parts[0](*[x.view(-1, 1, 2)] * 3)[1] + x,
            nn.MultiheadAttention(2, 1, batch_first=True),
        ),
        "of values whose shape is not known",
    ),
    "layer in training": (
        nn.TransformerEncoderLayer(2, 1, 2, batch_first=True),
        "in training mode",
    ),
    "rounded": (Call(lambda m, x: torch.div(x, 2, rounding_mode="floor")), "operation div"),
    "log": (Call(lambda m, x: x.log()), "log of a value that depends on the input, which"),
    "root": (Call(lambda m, x: torch.sqrt(x)), "sqrt of a value that depends on the input"),
    "inverse": (Call(lambda m, x: x.reciprocal()), "reciprocal of a value that depends on"),
    "inverse power": (Call(lambda m, x: x**-1), "pow .pow needs a whole exponent from 2 to 8"),
    "any softmax": (nn.Softmax(), "Softmax other than along one axis"),
    "softmax of inputs": (Call(lambda m, x: x.softmax(0)), "softmax other than along one axis"),
    "half softmax": (
        Call(lambda m, x: F.softmax(x, 1, dtype=torch.float32)),
        "softmax in another dtype",
    ),
    "unmeasured softmax": (nn.Softmax(1), "softmax of values whose shape is not known at '0'"),
    "greatest of all": (Call(lambda m, x: x.max()), "max other than along axes"),
    "greatest of inputs": (Call(lambda m, x: x.amax(0)), "amax other than along axes"),
    "adaptive max of two": (
        Call(lambda m, x: torch.nn.functional.adaptive_max_pool1d(x.view(-1, 3, 3), 2)),
        "adaptive_max_pool1d to other than one",
    ),
    "roll of inputs": (Call(lambda m, x: x.roll(1, 0)), "roll other than along axes"),
    "roll of all": (Call(lambda m, x: x.roll(1)), "roll other than along axes"),
    "repeat_interleave of all": (
        Call(lambda m, x: x.repeat_interleave(2)),
        "repeat_interleave other than along",
    ),
    "repeat by halves": (Call(lambda m, x: x.repeat(1, m.mean)), "repeat by other than whole"),
    "sorted": (Call(lambda m, x: x.sort()[0]), "operation sort"),
    "clamped by x": (Call(lambda m, x: x.clamp(x, 1.0)), "clamp with a setting that is no number"),
    "half power": (Call(lambda m, x: x**2.5), "pow needs a whole exponent"),
    "power of x": (Call(lambda m, x: 2.0**x), "pow with a setting that is no number"),
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
    "repeat of inputs": (Call(lambda m, x: x.repeat(2, 1)), 9, "moves the batch axis"),
    "repeat as a new axis": (Call(lambda m, x: x.repeat(1, 1, 2)), 9, "moves the batch axis"),
    "pixel shuffle": (
        Call(lambda m, x: torch.pixel_shuffle(x.view(-1, 1, 3, 3), 2)),
        9,
        "takes other shapes than",
    ),
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
    "matmul": (Call(lambda m, x: x @ x), 9, "multiplies matrices in values of shapes"),
    "contraction": (
        Call(lambda m, x: torch.einsum("bi,bi->bi", x, x[:, :2])),
        9,
        "multiplies and sums values",
    ),
    "heads": (
        layer().eval(),
        9,
        r"takes \(tokens, 4\)",
    ),
    "no key": (
        Call(
            lambda m, x: F.scaled_dot_product_attention(
                *[x.view(-1, 1, 9)] * 3, attn_mask=m.upper[:1, :1]
            )
        ),
        9,
        "masks all keys of a query",
    ),
    "softmax": (nn.Softmax(2), 9, "0 takes the softmax along axis 2 of 2"),
    "greatest": (Call(lambda m, x: x.amax(2)), 9, "takes the greatest along axis 2 of 2"),
    "maximum": (Call(lambda m, x: torch.maximum(x, x[:, :2])), 9, "subtracts values of shapes"),
    "mean": (Call(lambda m, x: x.mean(2)), 9, "takes the mean over axes"),
}


@pytest.mark.parametrize("module, d, said", MISFITS.values(), ids=MISFITS)
def test_shapes_that_do_not_fit_name_the_place(module, d, said):
    with pytest.raises(wb.BadInput, match=said):
        read(nn.Sequential(module), d)


def test_a_form_that_runs_and_is_not_read_is_left_to_samplers():
    """PyTorch repeats the second matrix along an axis; the reader does not."""
    module = Call(lambda m, x: (x.view(-1, 2, 2, 2) @ x[:, :4].view(-1, 1, 2, 2)).flatten(1))
    problem = wb.Problem(wb.Gaussian(torch.zeros(8), torch.ones(8)), module,
                         wb.Halfspace(torch.ones(8), -10.0))  # fmt: skip
    assert not problem.readable
    with pytest.raises(wb.Unsupported, match="a model in which matmul multiplies") as told:
        wb.Moments()(problem)
    assert "subset" in told.value.try_instead
    assert -3.0 < wb.Subset()(problem, budget=4_000).log10_p < 0.0


def test_the_guide_has_every_operation():
    guide = (Path(__file__).parents[1] / "docs" / "guide" / "own.md").read_text()
    table = " ".join(line for line in guide.splitlines() if line.startswith("| "))
    words = [word for op in OPERATIONS for word in op.about.split(", ")]
    bends = [getattr(row.torch_module, "__name__", row.name) for row in ACTIVATIONS.values()]
    assert [word for word in (*words, *bends) if word not in table and word != "tanh_gelu"] == []
