"""Problem cards: bit for bit there and back, and one clear sentence for everything wrong."""

import hashlib
import json
import math
import shutil
import struct
from pathlib import Path

import pytest
import torch
from card_samples import LINEAR, PROBLEMS, gaussian, rand
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

import workbench as wb
from workbench.catalogue import data_folder, names
from workbench.models import chain, dense
from workbench.problem.card import Card
from workbench.problem.codec import MAX_DEPTH

ANY = pytest.mark.parametrize
each_problem = ANY("problem", PROBLEMS.values(), ids=PROBLEMS)


def told(distribution, x):
    """What a distribution has to say: draws, or whether x belongs to it, or the weight of x."""
    match distribution:
        case wb.Conditional():
            return distribution.recognise(x) + distribution.softness
        case wb.SpinGlass() | wb.SpinNetwork() | wb.Gibbs():
            return distribution.log_weight(x)
    return distribution.sample(9, torch.Generator().manual_seed(1))


@each_problem
def test_round_trip_is_bit_for_bit(problem, tmp_path):
    path = problem.save(tmp_path / "one")
    again = wb.Problem.load(path)
    x = rand(0, 64, 3).to(problem.distribution.dtype)
    assert torch.equal(again.margin(x), problem.margin(x))
    a, b = (told(p.distribution, x) for p in (problem, again))
    assert torch.equal(a, b) and a.dtype == b.dtype
    assert (again.name, again.about) == (problem.name, problem.about)
    if problem.truth is None:
        assert again.truth is None
    else:
        for field in ("log10_p", "se_log10", "method", "provenance"):
            assert getattr(again.truth, field) == getattr(problem.truth, field)
        assert torch.equal(again.truth.gradients["mean"], problem.truth.gradients["mean"])


@each_problem
def test_the_second_save_has_the_same_bytes(problem, tmp_path):
    first = problem.save(tmp_path / "one")
    second = wb.Problem.load(first).save(tmp_path / "two")
    files = sorted(p.name for p in first.parent.iterdir())
    assert files == sorted(p.name for p in second.parent.iterdir()) and len(files) == 2
    for name in files:
        assert (first.parent / name).read_bytes() == (second.parent / name).read_bytes()


@each_problem
def test_estimates_survive_the_round_trip(problem, tmp_path):
    again = wb.Problem.load(problem.save(tmp_path))
    energy = isinstance(problem.distribution, wb.SpinGlass | wb.SpinNetwork | wb.Gibbs)
    recognised = isinstance(problem.distribution, wb.Conditional)
    serve = () if energy else (wb.Ratio(),) if recognised else (wb.Moments(), wb.MonteCarlo())
    if isinstance(problem.spec, wb.Points | wb.Median):  # an event of x and y together
        serve = (wb.MonteCarlo(),)
    for estimator in serve:
        a, b = (estimator(p, 3000, 1) for p in (problem, again))
        assert float(a.log_p.detach()) == float(b.log_p.detach())


def test_a_folder_with_one_card_is_enough(tmp_path):
    PROBLEMS["bare"].save(tmp_path)
    assert wb.Problem.load(tmp_path).name == wb.Problem.load(str(tmp_path)).name == "bare"
    assert wb.load(tmp_path).name == "bare"
    PROBLEMS["full"].save(tmp_path)
    with pytest.raises(wb.BadInput, match="holds 2 JSON or YAML files: name the card itself"):
        wb.Problem.load(tmp_path)


def test_saving_leaves_nothing_else_behind(tmp_path):
    for _ in range(2):
        path = PROBLEMS["mixture"].save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "mixture___.json.json",
        "mixture___.json.safetensors",
    ]
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_card_property_is_what_is_saved(tmp_path):
    problem = PROBLEMS["residual"]
    saved = json.loads(problem.save(tmp_path).read_text())
    assert saved == json.loads(problem.card.model_dump_json(exclude_none=True))
    assert Card.model_json_schema()["title"] == "Card"


def test_what_no_card_describes_is_refused(tmp_path):
    class Opaque(nn.Module):
        def forward(self, x):
            return torch.tan(x)

    half = wb.Halfspace(torch.ones(3))
    with pytest.raises(wb.Unsupported, match="operation tan"):
        wb.Problem(gaussian(), Opaque(), half).save(tmp_path)
    broken = dense(torch.full((3, 3), math.nan))
    with pytest.raises((wb.BadInput, wb.Unsupported), match=r"weight'? must be finite|NaN"):
        wb.Problem(gaussian(), chain([broken]), half).save(tmp_path)
    assert not list(tmp_path.iterdir())


# --- every way in which a card can be wrong ---------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A saved card's path."""
    return PROBLEMS["residual"].save(tmp_path)


def rewrite(path, change):
    """Change the card's JSON in place."""
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def retensor(path, change):
    """Change the tensors in place, with a hash that fits."""
    card = json.loads(path.read_text())
    file = path.parent / card["weights"]["file"]
    tensors = load_tensors(file.read_bytes())
    change(tensors)
    data = save_tensors(tensors)
    file.write_bytes(data)
    card["weights"]["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(card))


def put(*keys, value):
    """A change that sets card[key][key]... = value."""

    def change(card):
        inner = card
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def drop(*keys):
    def change(card):
        inner = card
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]

    return change


WRONG_CARDS = {
    "unknown field": (put("colour", value=1), "unknown field 'colour'"),
    "unknown field inside": (
        put("spec", "colour", value=1),
        "unknown field 'spec.halfspace.colour'",
    ),
    "missing field": (drop("model"), "field 'model': Field required"),
    "wrong type": (put("name", value=3), "field 'name': Input should be a valid string"),
    "number as text": (put("truth", "log10_p", value="-3"), "truth.log10_p"),
    "positive log P": (put("truth", "log10_p", value=1.0), "less than or equal to 0"),
    "version of the future": (put("version", value=99), "card version 99.*upgrade the workbench"),
    "version 0": (put("version", value=0), "card version 0, expected 1"),
    "version as text": (put("version", value="1"), "card version '1', expected 1"),
    "version true": (put("version", value=True), "card version True, expected 1"),
    "version 1.0": (put("version", value=1.0), "card version 1.0, expected 1"),
    "another format": (put("format", value="tar"), 'lacks "format": "workbench-problem"'),
    "no format": (drop("format"), 'lacks "format"'),
    "unknown distribution": (put("distribution", "type", value="cauchy"), "'distribution'.*cauchy"),
    "unknown operation": (put("model", "nodes", 1, "op", value="tan"), "model.nodes.1.*'tan'"),
    "unknown dtype": (put("dtype", value="float16"), "field 'dtype'"),
    "no nodes": (put("model", "nodes", value=[]), "model.nodes.*at least 1"),
    "feeds from the future": (put("model", "nodes", 0, "inputs", value=[5]), "part 0 .* takes 1"),
    "feeds from nowhere": (put("model", "nodes", 0, "inputs", value=[-1]), "part 0 .* takes 1"),
    "too many feeds": (put("model", "nodes", 0, "inputs", value=[0, 0]), "part 0 .* takes 1"),
    "missing tensor": (
        put("distribution", "mean", value="nope"),
        "tensor 'nope', which its tensor",
    ),
    "tensor of another use": (put("distribution", "mean", value=LINEAR), "mean of a gaussian must"),
    "path in the file name": (put("weights", "file", value="../x.safetensors"), "weights.file"),
    "absolute file name": (put("weights", "file", value="/etc/passwd"), "weights.file"),
    "hidden file name": (put("weights", "file", value=".x"), "weights.file"),
    "backslash": (put("weights", "file", value="..\\x"), "weights.file"),
    "newline": (put("weights", "file", value="x\n"), "weights.file"),
    "absent file": (put("weights", "file", value="absent.safetensors"), "absent.* cannot be read"),
    "wrong hash": (put("weights", "sha256", value="0" * 64), "is not the file that the card"),
    "malformed hash": (put("weights", "sha256", value="xyz"), "weights.sha256"),
}


@ANY("change, said", WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_wrong_card_says_what_is_wrong(saved, change, said):
    rewrite(saved, change)
    with pytest.raises(wb.BadInput, match=said) as caught:
        wb.Problem.load(saved)
    assert "\n" not in str(caught.value)


def nans(key):
    def change(tensors):
        tensors[key] = torch.full_like(tensors[key], math.nan)

    return change


WRONG_TENSORS = {
    "NaN weights": (nans(LINEAR), f"tensor '{LINEAR}' must be finite, got 9 NaN"),
    "NaN scale": (nans("distribution.scale"), "'distribution.scale' must be finite"),
    "NaN truth": (nans("truth.mean"), "'truth.mean' must be finite"),
    "integers": (
        lambda t: t.update({LINEAR: torch.ones(3, 3, dtype=torch.int32)}),
        "must be float32 or float64, got torch.int32",
    ),
    "half precision": (
        lambda t: t.update({LINEAR: torch.ones(3, 3, dtype=torch.float16)}),
        "must be float32 or float64, got torch.float16",
    ),
    "vector weight": (lambda t: t.update({LINEAR: torch.ones(3)}), r"shape \(out, in\)"),
    "wrong width": (lambda t: t.update({LINEAR: torch.ones(3, 4)}), "takes 4 inputs but is fed 3"),
    "wrong bias": (
        lambda t: t.update({"model.6.bias": torch.ones(5)}),
        r"needs a bias \(2,\), got",
    ),
    "wrong scale": (
        lambda t: t.update({"distribution.scale": torch.ones(4)}),
        r"scale of a gaussian must have shape \(3,\)",
    ),
    "wrong normal": (lambda t: t.update({"spec.a": torch.ones(3)}), "over 3 outputs, the model"),
    "wrong shift": (lambda t: t.update({"model.3.value": torch.ones(4)}), "fails|adds"),
    "missing": (lambda t: t.pop(LINEAR) is None, f"names tensor '{LINEAR}', which its tensor file"),
    "empty": (lambda t: t.update({LINEAR: torch.ones(0, 0)}), "is empty, of shape"),
}


@ANY("change, said", WRONG_TENSORS.values(), ids=WRONG_TENSORS)
def test_wrong_tensors_are_named(saved, change, said):
    retensor(saved, change)
    with pytest.raises(wb.BadInput, match=said):
        wb.Problem.load(saved)


def test_missing_card(tmp_path):
    with pytest.raises(wb.BadInput, match=r"the card .*no.json cannot be read: No such file"):
        wb.Problem.load(tmp_path / "no.json")
    with pytest.raises(wb.BadInput, match="holds 0 JSON or YAML files"):
        wb.Problem.load(tmp_path)
    with pytest.raises(wb.BadInput, match=r"null|cannot be read"):
        wb.Problem.load("a\0b")


def test_missing_and_altered_tensor_files(saved):
    file = saved.with_suffix(".safetensors")
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(
        wb.BadInput, match=r"is not the file that the card was written with \(sha256"
    ):
        wb.Problem.load(saved)
    file.unlink()
    with pytest.raises(wb.BadInput, match=r"tensor file .*cannot be read: No such file"):
        wb.Problem.load(saved)
    file.mkdir()
    with pytest.raises(wb.BadInput, match="cannot be read: Is a directory"):
        wb.Problem.load(saved)


def with_bytes(saved, data):
    """Give the card this tensor file, and a hash that fits."""
    saved.with_suffix(".safetensors").write_bytes(data)
    rewrite(saved, put("weights", "sha256", value=hashlib.sha256(data).hexdigest()))


@ANY(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"\x80\x04}.",
        struct.pack("<Q", 1 << 40) + b"{}",
        b"\x02" + b"\0" * 7 + b"{}",
    ],
    ids=["empty", "zip", "pickle", "endless header", "no tensors"],
)
def test_a_file_that_is_not_safetensors(saved, data):
    with_bytes(saved, data)
    with pytest.raises(wb.BadInput, match=r"not a safetensors file|which its tensor file lacks"):
        wb.Problem.load(saved)


@ANY(
    "text, said",
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe{}", "is not valid JSON"),
        (b"\xef\xbb\xbf{}", "is not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "is no problem card"),
        (b"null", "is no problem card"),
        (b'"workbench-problem"', "is no problem card"),
        (b"1" * 10_000, "is not valid JSON|is no problem card"),
    ],
    ids=["empty", "cut", "utf-16", "mark", "deep", "list", "null", "text", "long number"],
)
def test_a_card_that_is_not_json(saved, text, said):
    saved.write_bytes(text)
    with pytest.raises(wb.BadInput, match=said):
        wb.Problem.load(saved)


@ANY("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(saved, word):
    card = json.loads(saved.read_text())
    card["truth"]["log10_p"] = -3.25
    saved.write_text(json.dumps(card).replace("-3.25", word))
    with pytest.raises(wb.BadInput):
        wb.Problem.load(saved)


@ANY("depth", [MAX_DEPTH + 1, 200, 2000])
def test_a_spec_nested_too_deeply(saved, depth):
    card = json.loads(saved.read_text())
    inner = json.dumps(card.pop("spec"))
    spec = '{"type": "and", "parts": [' * depth + inner + "]}" * depth
    text = json.dumps(card)[:-1] + f', "spec": {spec}}}'
    saved.write_text(text)
    with pytest.raises(wb.BadInput, match=r"nested|recursion|depth"):
        wb.Problem.load(saved)


def test_links_out_of_the_folder_are_still_held_to_the_hash(saved, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    file = saved.with_suffix(".safetensors")
    shutil.move(file, other / file.name)
    file.symlink_to(other / file.name)
    assert wb.Problem.load(saved).name == "a residual net"
    (other / file.name).write_bytes(b"something else")
    with pytest.raises(wb.BadInput, match="is not the file"):
        wb.Problem.load(saved)


def test_the_catalogue_s_cards_are_written_by_this_code(tmp_path):
    """Each catalogue card, loaded and saved again, has the bytes that ship."""
    folder = data_folder() / "problems"
    for name in names():
        path = wb.load(name).save(tmp_path)
        for suffix in (".json", ".safetensors"):
            shipped = (folder / name).with_name(name + suffix).read_bytes()
            assert Path(path).with_name(name + suffix).read_bytes() == shipped, name


def test_a_place_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("/proc/nope", "/proc/nope/mine.zip", tmp_path / "file" / "below"):
        with pytest.raises(wb.BadInput, match=r"the folder .* cannot be made: "):
            PROBLEMS["bare"].save(place)


def test_an_unwritable_place_is_named_not_its_draft(tmp_path, monkeypatch):
    def refused(*args, **more):
        raise PermissionError(13, "Permission denied", str(tmp_path / ".mine.zip.x1"))

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(PermissionError) as error:
        PROBLEMS["bare"].save(tmp_path / "mine.zip")
    assert error.value.filename == str(tmp_path / "mine.zip")
