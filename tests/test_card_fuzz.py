"""Whatever a card or its tensors hold, nothing is raised but BadInput."""

import contextlib
import copy
import hashlib
import json

import pytest
from card_samples import LINEAR, PROBLEMS
from fuzzing import fuzz, places
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.integers(0, 2**24),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            [
                *("gaussian", "mixture", "box", "linear", "relu", "add", "bias", "halfspace"),
                *("reshape", "convolution", "avg_pool", "mean", "layer_norm", "batch_norm"),
                *("attention", "encoder_layer", "softmax", "einsum", "masked", "gru", "mask"),
                *("argmax", "polytope", "and", "or", "loses", "float32", "x.safetensors", LINEAR),
                *("spec.a", "spec.b", "distribution.mean", "distribution.scale", "model.3.value"),
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["type", "op", "inputs", "a", "b", "parts"]), inner),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Saved cards: the text of each, its tensors' bytes and its path."""
    found = []
    for name in ("residual", "mixture", "images", "attention"):
        path = PROBLEMS[name].save(tmp_path_factory.mktemp(name))
        card = json.loads(path.read_text())
        found.append((path, card, (path.parent / card["weights"]["file"]).read_bytes()))
    return found


def survives(path):
    """Load; a `BadInput` of one line is as good as a problem that works."""
    try:
        problem = wb.Problem.load(path)
    except wb.BadInput as error:
        assert str(error) and "\n" not in str(error)
        return
    with contextlib.suppress(wb.NotConverged):  # finite weights may still overflow
        wb.MonteCarlo()(problem, 16)


@fuzz(300)
@given(st.data())
def test_fuzzed_cards_raise_nothing_but_bad_input(originals, tmp_path, data):
    path, card, tensors = data.draw(st.sampled_from(originals))
    card = copy.deepcopy(card)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(card)[1:]))
        inner = card
        for key in way:
            inner = inner[key]
        match data.draw(st.sampled_from(["delete", "replace", "insert", "copy"])):
            case "delete":
                del inner[last]
            case "replace":
                inner[last] = data.draw(JSON)
            case "copy":
                inner[last] = copy.deepcopy(data.draw(st.sampled_from([card.get("spec"), 0, [0]])))
            case _ if isinstance(inner, list):
                inner.insert(last, data.draw(JSON))
            case _:
                inner[data.draw(st.text(max_size=5))] = data.draw(JSON)
        if not places(card)[1:]:
            break
    target = tmp_path / "card.json"
    target.write_text(json.dumps(card))
    (tmp_path / path.with_suffix(".safetensors").name).write_bytes(tensors)
    survives(target)


@fuzz(150)
@given(st.data())
def test_fuzzed_bytes_raise_nothing_but_bad_input(originals, tmp_path, data):
    """Bytes cut, changed and added in the card's text."""
    path, card, tensors = data.draw(st.sampled_from(originals))
    text = bytearray(json.dumps(card).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        match data.draw(st.sampled_from(["cut", "change", "add"])):
            case "cut":
                del text[at : at + data.draw(st.integers(1, 40))]
            case "change":
                text[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case _:
                text[at:at] = data.draw(st.binary(max_size=6))
    target = tmp_path / "card.json"
    target.write_bytes(text)
    (tmp_path / path.with_suffix(".safetensors").name).write_bytes(tensors)
    survives(target)


@fuzz(200)
@given(st.data())
def test_fuzzed_tensors_raise_nothing_but_bad_input(originals, tmp_path, data):
    """Bytes of the tensor file cut and changed, header and all, under a hash that fits."""
    path, card, tensors = data.draw(st.sampled_from(originals))
    changed = bytearray(tensors)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(0, len(changed) - 1)))
        if data.draw(st.booleans()):
            changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=3))
        else:
            del changed[at : at + data.draw(st.integers(1, 60))]
    card = copy.deepcopy(card)
    card["weights"]["sha256"] = hashlib.sha256(changed).hexdigest()
    target = tmp_path / "card.json"
    target.write_text(json.dumps(card))
    (tmp_path / path.with_suffix(".safetensors").name).write_bytes(changed)
    survives(target)
