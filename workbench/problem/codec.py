"""Problems to cards and tensors, and back."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_save

from workbench import graph as graphs
from workbench.errors import BadInput, Unsupported
from workbench.math.checks import check_finite
from workbench.problem import archive, atomic
from workbench.problem import card as cards
from workbench.problem.by_hand import commented, yaml_to_json
from workbench.problem.core import Problem
from workbench.problem.reader import Reader
from workbench.problem.scope import WHOLE, Scope
from workbench.problem.writer import Writer

DTYPES = {"float32": torch.float32, "float64": torch.float64}
MAX_BYTES = 1 << 30
MAX_DEPTH = 32
_LONGEST = 160  # of a file's name, without its ending
SUFFIXES = (".json", ".yaml", ".yml")
ZIP = ".zip"


def encode(problem: Problem) -> tuple[cards.Card, bytes]:
    """A problem as its card and the bytes of its safetensors file.

    Raises:
        BadInput: where a card cannot hold its name, its truth or one of its numbers.
        Unsupported: where no card describes D, M or C.
    """
    try:
        return _encode(problem)
    except ValidationError as error:
        raise BadInput(
            f"the problem {str(problem.name)[:80]!r} does not fit a card: {_first(error)}"
        ) from None


def _encode(problem: Problem) -> tuple[cards.Card, bytes]:
    dtype = str(problem.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise Unsupported(f"a problem in {dtype}", f"cards hold {' or '.join(DTYPES)}")
    writer, d = Writer(), problem.distribution
    model, spec = problem.stated
    if isinstance(model, WHOLE):
        described = writer.whole(model)
    else:
        graph = problem.graph if model is problem.model else graphs.read(model, d.dim)
        described = writer.model(graph, d.dim)
    parts: dict[str, Any] = {
        "distribution": writer.distribution(d),
        "model": described,
        "spec": writer.spec(spec, Scope(model, d.dim, d.dtype)),
        "truth": writer.truth(problem.truth),
    }
    for key, value in writer.tensors.items():
        check_finite(f"tensor {key!r}", value)
    data = safetensors_save(writer.tensors)
    weights = cards.WeightsCard(
        file=f"{_file_name(problem.name)}.safetensors", sha256=hashlib.sha256(data).hexdigest()
    )
    head: dict[str, Any] = {"name": problem.name, "about": problem.about, "dtype": dtype}
    card = cards.Card(**head, weights=weights, **parts)
    return card, data


def save(problem: Problem, folder: Path) -> Path:
    """Write the tensors and the card that vouches for them, in one step; as one file to a .zip."""
    if folder.suffix == ZIP and not folder.is_dir():
        content = zipped(problem)
        atomic.make_folder(folder.parent)
        atomic.write(folder, content)
        return folder
    card, data = encode(problem)
    path = folder / f"{_file_name(problem.name)}.json"
    atomic.make_folder(folder)
    atomic.write_all({folder / card.weights.file: data, path: _text(card)})
    return path


def zipped(problem: Problem) -> bytes:
    """The bytes of a zip of the card and the tensors."""
    card, data = encode(problem)
    return archive.packed(
        {f"{_file_name(problem.name)}.json": _text(card), card.weights.file: data}
    )


def unzipped(data: bytes) -> Problem:
    """The problem in such a zip. Raises `BadInput` for each way in which it can be another."""
    with tempfile.TemporaryDirectory() as folder:
        archive.unpacked(data, Path(folder))
        return load(Path(folder))


def save_commented(problem: Problem, folder: Path) -> Path:
    """Write the problem as `card.yaml`, which says what may stand where, and `card.safetensors`."""
    card, data = encode(problem)
    weights = cards.WeightsCard(file="card.safetensors", sha256=card.weights.sha256)
    said = card.model_copy(update={"weights": weights}).model_dump(exclude_none=True)
    atomic.make_folder(folder)
    path = folder / "card.yaml"
    atomic.write_all({folder / weights.file: data, path: commented(said)})
    return path


def store_over(problem: Problem, path: Path) -> Path:
    """Write the problem in place of that in a card, a folder that holds one, or a zip.

    Of a card in YAML the comments are those of `save_commented`. Errors as `load` and `encode`.
    """
    path = _find(path)
    if path.suffix == ZIP:
        return save(problem, path)
    file = parse(_bytes(path, "card"), str(path)).weights.file
    card, data = encode(problem)
    weights = cards.WeightsCard(file=file, sha256=card.weights.sha256)
    card = card.model_copy(update={"weights": weights})
    by_hand = path.suffix != ".json"
    text = commented(card.model_dump(exclude_none=True)) if by_hand else _text(card)
    atomic.write_all({path.parent / file: data, path: text})
    return path


def to_files(problem: Problem) -> dict[str, bytes]:
    """A problem as files of fixed names, {name: bytes}, for a folder that holds more than it."""
    card, data = encode(problem)
    weights = cards.WeightsCard(file="problem.safetensors", sha256=card.weights.sha256)
    return {weights.file: data, "problem.json": _text(card.model_copy(update={"weights": weights}))}


def from_files(file: Callable[[str], bytes]) -> Problem:
    """Inverse of `to_files`; `file` gives the bytes under a name."""
    return decode(parse(file("problem.json"), "problem.json"), file("problem.safetensors"))


def _text(card: cards.Card) -> bytes:
    return (card.model_dump_json(indent=1, exclude_none=True) + "\n").encode()


def _file_name(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "_" for c in name)
    return (kept if kept[:1].isalnum() else f"p{kept}")[:_LONGEST]


def load(path: Path) -> Problem:
    """A problem from its card's path, from a folder that holds exactly one card, or from a zip."""
    path = _find(path)
    if path.suffix == ".safetensors":
        raise BadInput(f"{path} holds tensors alone: give the card beside it, a JSON or YAML file")
    if path.suffix == ZIP:
        return unzipped(_bytes(path, "zip"))
    card = parse(_bytes(path, "card"), str(path))
    file = path.parent / card.weights.file
    data = _bytes(file, "tensor file")
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.weights.sha256:
        raise BadInput(
            f"{file.name} is not the file that the card was written with "
            f"(sha256 {digest[:12]}..., the card says {card.weights.sha256[:12]}...): "
            "fetch both again, or save the problem anew"
        )
    return decode(card, data)


def _find(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if len(found) != 1:
        raise BadInput(f"folder {path} holds {len(found)} JSON or YAML files: name the card itself")
    return found[0]


def _bytes(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"the {what} {path.name} is larger than {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"the {what} {path} cannot be read: {reason}") from None


def parse(data: bytes, source: str) -> cards.Card:
    """A validated card from its JSON or YAML bytes; the source's suffix says which."""
    if source.endswith((".yaml", ".yml")):
        data = yaml_to_json(data, source)
    try:
        raw = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise BadInput(f"{source} is not valid JSON: {reason}") from None
    if not isinstance(raw, dict) or raw.get("format") != cards.FORMAT:
        raise BadInput(f'{source} is no problem card: it lacks "format": "{cards.FORMAT}"')
    version = raw.get("version")
    if type(version) is int and version > cards.VERSION:
        raise BadInput(
            f"{source} has card version {version}, this workbench reads up to {cards.VERSION}: "
            "upgrade the workbench"
        )
    if type(version) is not int or version != cards.VERSION:
        raise BadInput(f"{source} has card version {version!r}, expected {cards.VERSION}")
    try:
        card = cards.Card.model_validate_json(data)
    except (ValidationError, RecursionError) as error:
        raise BadInput(f"{source}: {_first(error)}") from None
    _check_depth(card.spec)
    if isinstance(card.distribution, cards.ConditionedCard):
        _check_depth(card.distribution.event)
    return card


def _first(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "the card is nested too deeply"
    problems = error.errors(include_url=False, include_input=False)
    place = ".".join(str(p) for p in problems[0]["loc"]) or "card"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if problems[0]["type"] == "extra_forbidden":
        return f"unknown field {place!r}{more}"
    return f"field {place!r}: {problems[0]['msg']}{more}"


def _check_depth(spec: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise BadInput(f"the spec is nested more than {MAX_DEPTH} deep")
    match spec:
        case cards.CombinationCard(parts=parts):
            for part in parts:
                _check_depth(part, depth + 1)
        case cards.TrustedCard(event=event) | cards.ProbeCard(event=event):
            _check_depth(event, depth + 1)


T = TypeVar("T")


def decode(card: cards.Card, data: bytes) -> Problem:
    """The problem that a card and its tensor bytes describe."""
    try:
        tensors = safetensors_load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{card.weights.file} is not a safetensors file: {error}") from None
    reader = Reader(tensors, DTYPES[card.dtype])
    distribution = reader.distribution(card.distribution)
    scope = reader.scope(card.model, distribution.dim, distribution.dtype)
    problem = Problem(
        distribution,
        scope.module,
        reader.spec(card.spec, scope),
        name=card.name,
        about=card.about,
        truth=reader.truth(card.truth),
    )
    if not isinstance(problem.stated[0], WHOLE):
        _fits(lambda: problem.graph, card)
    return problem


def _fits(check: Callable[[], T], card: cards.Card) -> T:
    """A card's model is always readable: a refusal here is the card's fault."""
    try:
        return check()
    except Unsupported as error:
        raise BadInput(f"the model of card {card.name!r} cannot be read: {error}") from None
