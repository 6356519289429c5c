"""Sizes that a card states are refused before anything of such a size is made."""

import json

import pytest
import torch
from card_samples import PROBLEMS
from torch import nn

import workbench as wb
from workbench.models import (
    Divided,
    Flipped,
    Joined,
    Multiplied,
    Network,
    Padded,
    Permuted,
    Picked,
    Reshaped,
    UnitLength,
    chain,
)

NODES = {
    node["op"]: i
    for i, node in enumerate(PROBLEMS["images"].card.model_dump()["model"]["nodes"])
    if "weight" not in node or node["op"] != "convolution" or len(node["stride"]) == 2
}
BIG = 1 << 20
HOSTILE = {
    "padding": ("convolution", {"padding": [BIG, BIG]}, "numbers of one input, and cards hold"),
    "more than is counted": ("convolution", {"padding": [1 << 24, 1 << 24]}, "numbers|fed|fit"),
    "beyond any axis": ("convolution", {"padding": [1 << 40, 1]}, "padding.* less than or equal"),
    "negative padding": ("convolution", {"padding": [-1, 1]}, "padding.*greater than or equal"),
    "no step": ("convolution", {"stride": [0, 1]}, "stride.*greater than or equal"),
    "reach": ("convolution", {"dilation": [BIG, BIG]}, "does not fit.*is fed"),
    "groups": ("convolution", {"groups": 3}, "3 groups, which do not divide 4 outputs"),
    "axes": ("convolution", {"stride": [1]}, "a stride, a padding and a dilation for each axis"),
    "window": ("avg_pool", {"kernel": [BIG, BIG]}, "does not fit.*is fed"),
    "one window": ("avg_pool", {"kernel": [2]}, "must be of one length"),
    "shape": ("reshape", {"to": [BIG, BIG]}, "does not fit.*makes"),
    "negative shape": ("reshape", {"to": [-2, -4]}, "greater than or equal to 1"),
    "many axes": ("reshape", {"to": [1] * 60}, "at most 8"),
    "axis": ("mean", {"axes": [BIG]}, "does not fit.*takes the mean over axes"),
    "one axis twice": ("mean", {"axes": [0, 0]}, "does not fit.*takes the mean over axes"),
    "norm": ("layer_norm", {"over": [BIG, BIG]}, "must have shape"),
    "bare norm": (
        "layer_norm", {"over": [BIG, BIG], "weight": None, "bias": None}, "not fit.*normalises",
    ),
    "variances": ("batch_norm", {"var": "model.6.mean", "eps": 0.0}, "must be positive"),
    "channels": ("batch_norm", {"mean": "spec.a"}, "must be vectors, a number a channel"),
    "minus eps": ("batch_norm", {"eps": -1.0}, "eps.*greater than or equal to 0"),
}  # fmt: skip


@pytest.mark.parametrize("op, put, said", HOSTILE.values(), ids=HOSTILE)
def test_sizes_are_refused_before_memory_is_taken(op, put, said, tmp_path, monkeypatch):
    path = PROBLEMS["images"].save(tmp_path)
    card = json.loads(path.read_text())
    card["model"]["nodes"][NODES[op]].update(put)
    path.write_text(json.dumps(card))

    def forward(self, x):
        raise AssertionError("the model was run")

    monkeypatch.setattr("workbench.models.Network.forward", _traced_only(forward))
    with pytest.raises(wb.BadInput, match=said) as refusal:
        wb.load(path)
    assert "\n" not in str(refusal.value)


MOVES = {
    "entry": (1, {"index": [9]}, "does not fit.*takes entries .9. along an axis of 2"),
    "nothing": (1, {"index": [{"start": 1, "stop": 1}]}, "does not fit.*takes nothing"),
    "no entry": (1, {"index": [{"start": 0, "stop": 0}]}, "pick.index.0.*valid"),
    "axes": (1, {"index": [0, 0, 0]}, "does not fit.*takes entries along 3 axes"),
    "lists": (1, {"index": [[0], [1]]}, "a list beside another list"),
    "no order": (2, {"order": [0, 0]}, "the order .0, 0., which is none"),
    "other order": (2, {"order": [2, 0, 1]}, "does not fit.*orders 3 axes anew"),
    "flip": (3, {"axes": [5]}, "does not fit.*turns axes"),
    "flip backward": (3, {"axes": [-1]}, "counted from 0"),
    "cat": (4, {"axis": 7}, "does not fit.*joins values along axis"),
    "cat of nothing": (4, {"inputs": []}, r"takes 1 earlier value\(s\), got \[\]"),
    "cat of other": (4, {"inputs": [4, 1]}, "does not fit.*joins values of shapes"),
    "zero": (6, {"value": "zero"}, "divides by 0"),
}


@pytest.mark.parametrize("node, put, said", MOVES.values(), ids=MOVES)
def test_moves_that_do_not_fit_are_refused(node, put, said, tmp_path):
    parts = [
        Reshaped((2, 3)), Picked([slice(0, 2), [0, 2]]), Permuted([1, 0]), Flipped([0]), Joined(0),
        nn.Flatten(), Divided(torch.full((), 2.0), fixed=True),
    ]  # fmt: skip
    model = Network(parts, [[0], [1], [2], [3], [4, 3], [5], [6]])
    law = wb.Gaussian(torch.zeros(6), torch.ones(6))
    path = wb.Problem(law, model, wb.Halfspace(torch.ones(8)), "moves").save(tmp_path)
    wb.load(path)
    card = json.loads(path.read_text())
    card["model"]["nodes"][node].update(put)
    path.write_text(json.dumps(card).replace('"zero"', '"distribution.mean"'))
    with pytest.raises(wb.BadInput, match=said):
        wb.load(path)


SIZED = {
    "padding": (1, {"before": [BIG, BIG], "after": [BIG, BIG]}, "numbers of one input, and cards"),
    "more padding": (1, {"before": [1 << 24] * 2, "after": [1 << 24] * 2}, "does not fit|numbers"),
    "one side": (1, {"before": [1]}, "must be of one length"),
    "unequal": (1, {"before": [1, 1, 1, 1], "after": [1, 1, 1, 1]}, "does not fit.*4 axes of"),
    "circle": (1, {"before": [9, 9], "mode": "circular"}, "does not fit.*is fed"),
    "size": (2, {"to": [BIG, BIG]}, "numbers of one input, and cards hold"),
    "factor": (2, {"to": None, "by": [4096.0, 4096.0]}, "numbers of one input, and cards hold"),
    "no size": (2, {"to": None}, "needs sizes, or factors, and not both"),
    "both": (2, {"by": [2.0, 2.0]}, "needs sizes, or factors, and not both"),
    "mode": (2, {"mode": "linear"}, "does not fit.*is fed"),
    "output": (3, {"padding": [BIG, BIG]}, "does not fit.*is fed"),
    "stride": (3, {"stride": [BIG, BIG]}, "numbers of one input, and cards hold"),
    "groups": (3, {"groups": 2}, "2 groups, which do not divide 1 inputs"),
    "more": (3, {"more": [1]}, "a stride, a padding and a dilation for each axis"),
    "much more": (3, {"more": [7, 7]}, "does not fit.*adds .7, 7. places"),
    "windows": (4, {"to": [BIG, BIG]}, "does not fit.*takes 32 inputs but is fed"),
    "window": (5, {"padding": [2, 2]}, "does not fit.*is fed"),
    "divisor": (
        5,
        {"kernel": [1], "stride": [1], "padding": None, "divisor": 2},
        "over two axes alone",
    ),
    "matrix": (7, {"value": "spec.b"}, "must be a matrix"),
}


@pytest.mark.parametrize("node, put, said", SIZED.values(), ids=SIZED)
def test_sizes_of_images_that_do_not_fit_are_refused(node, put, said, tmp_path):
    parts = [
        Reshaped((1, 2, 3)), Padded([1, 0], [0, 1], "zeros"), nn.Upsample((5, 5), mode="bilinear"),
        nn.ConvTranspose2d(1, 2, 2, 2).double(), nn.AdaptiveAvgPool2d(3), nn.AvgPool2d(2, 1, 1),
        nn.Flatten(), Multiplied(torch.ones(32, 2)),
    ]  # fmt: skip
    law = wb.Gaussian(torch.zeros(6), torch.ones(6))
    path = wb.Problem(law, chain(parts), wb.Halfspace(torch.ones(2)), "sized").save(tmp_path)
    wb.load(path)
    card = json.loads(path.read_text())
    card["model"]["nodes"][node].update(put)
    path.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match=said) as refusal:
        wb.load(path)
    assert "\n" not in str(refusal.value)


NORMS = {
    "over": (2, {"over": [BIG]}, "must have shape"),
    "bare": (2, {"over": [BIG], "weight": None}, "does not fit.*normalises"),
    "groups": (1, {"groups": 3}, "3 groups of 4 channels"),
    "channels": (1, {"channels": BIG}, "a number a channel"),
    "axes": (1, {"op": "instance_norm", "axes": 2}, "does not fit|fails"),
    "eps": (3, {"eps": -1.0}, "greater than or equal to 0"),
}


@pytest.mark.parametrize("node, put, said", NORMS.values(), ids=NORMS)
def test_norms_that_do_not_fit_are_refused(node, put, said, tmp_path):
    parts = [
        Reshaped((4, 3)), nn.GroupNorm(2, 4).double(), nn.RMSNorm(3).double(), UnitLength(1e-12),
        nn.Flatten(),
    ]  # fmt: skip
    law = wb.Gaussian(torch.zeros(12), torch.ones(12))
    path = wb.Problem(law, chain(parts), wb.Halfspace(torch.ones(12)), "norms").save(tmp_path)
    wb.load(path)
    card = json.loads(path.read_text())
    card["model"]["nodes"][node].update(put)
    path.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match=said):
        wb.load(path)


LANGUAGE = {
    "contexts": ("L_zap_1e-7", ("distribution", "network"), {"context": 10**9}, "contexts"),
    "length": ("L_zap_1e-7", ("distribution",), {"length": 10**9}, "less than or equal to 65536"),
    "width": ("L_zap_1e-7", ("distribution", "network"), {"width": 10**18}, "too large"),
    "layers": ("T_bpe_word_1e-6", ("model", "nodes", 0), {"layers": 10**9}, "cannot have 21"),
    "hidden": ("T_bpe_word_1e-6", ("model", "nodes", 0), {"hidden": 10**19}, "too large"),
    "stream": ("T_bpe_word_1e-6", ("model", "nodes", 0), {"width": 1 << 40}, "too large|do not"),
    "attention": ("algzoo_cycle_h2_n3", ("model", "nodes", 0), {"width": 10**18}, "too large"),
}  # fmt: skip


@pytest.mark.parametrize("name, place, put, said", LANGUAGE.values(), ids=LANGUAGE)
def test_sizes_of_language_models_are_refused_at_once(name, place, put, said, tmp_path):
    path = wb.load(name).save(tmp_path)
    card = json.loads(path.read_text())
    part = card
    for key in place:
        part = part[key]
    part.update(put)
    path.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match=said):
        wb.load(path)


def _traced_only(forward):
    """A network's own forward for tracing, `forward` for numbers."""
    own = wb.models.Network.forward
    return lambda self, x: forward(self, x) if isinstance(x, torch.Tensor) else own(self, x)


@pytest.mark.parametrize("place", ["head", "D"])
def test_networks_of_specs_and_of_laws_are_held_to_it_too(place, tmp_path):
    net = PROBLEMS["images"].model
    law, half = wb.Gaussian(torch.zeros(3), torch.ones(3)), wb.Halfspace(torch.ones(2), 0.0)
    spec = wb.Trusted(net, half, "inputs") if place == "head" else half
    law = wb.Conditional(law, net, half) if place == "D" else law
    problem = wb.Problem(law, nn.Linear(3, 2).double(), spec, "placed")
    path = problem.save(tmp_path)
    card = json.loads(path.read_text())
    holder = card["spec"] if place == "head" else card["distribution"]
    holder["network"]["nodes"][NODES["convolution"]]["padding"] = [BIG, BIG]
    path.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match="numbers of one input, and cards hold"):
        wb.load(path)


def test_what_no_card_would_open_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.problem.scope.MAX_VALUES", 100)
    with pytest.raises(wb.BadInput, match=r"cards hold models of up to 100$"):
        PROBLEMS["images"].save(tmp_path)
    assert not list(tmp_path.iterdir())
