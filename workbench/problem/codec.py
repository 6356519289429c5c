"""Problems to cards and tensors, and back."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_save
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.distributions import Box, Discrete, Distribution, Gaussian, Mixture
from workbench.errors import BadInput, Unsupported
from workbench.math.checks import check_finite
from workbench.models import Network, Shift, Sum, dense
from workbench.models.mlp import activation_module
from workbench.problem import atomic
from workbench.problem import card as cards
from workbench.problem.core import Problem, Truth
from workbench.specs import And, Argmax, Halfspace, Or, Polytope, Spec

DTYPES = {"float32": torch.float32, "float64": torch.float64}
MAX_BYTES = 1 << 30
MAX_DEPTH = 32


class _Writer:
    """Collects tensors under names; those exact in float32 are stored so (loaded bit for bit)."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def put(self, key: str, value: Tensor) -> str:
        value = value.detach().cpu().contiguous()
        short = value.to(torch.float32)
        exact = torch.equal(short.to(value.dtype), value)
        self.tensors[key] = (short if exact else value).clone()
        return key

    def distribution(self, d: Distribution, at: str = "distribution") -> Any:
        match d:
            case Gaussian():
                mean, scale = self.put(f"{at}.mean", d.mean), self.put(f"{at}.scale", d.scale)
                return cards.GaussianCard(mean=mean, scale=scale)
            case Mixture():
                return cards.MixtureCard(
                    weights=self.put(f"{at}.weights", d.weights),
                    components=[
                        self.distribution(c, f"{at}.{k}") for k, c in enumerate(d.components)
                    ],
                )
            case Box():
                return cards.BoxCard(
                    low=self.put(f"{at}.low", d.low), high=self.put(f"{at}.high", d.high)
                )
            case Discrete():
                return cards.DiscreteCard(
                    values=self.put(f"{at}.values", d.values),
                    probs=self.put(f"{at}.probs", d.probs),
                )
        raise Unsupported(f"a distribution of type {d.name!r}", "no card describes it")

    def model(self, graph: graphs.Graph) -> cards.ModelCard:
        nodes: list[Any] = []
        for i, node in enumerate(graph.nodes[1:]):
            feeds, at = list(node.inputs), f"model.{i}"
            match node.op:
                case graphs.Linear(weight=w, bias=b):
                    bias = None if b is None else self.put(f"{at}.bias", b)
                    weight = self.put(f"{at}.weight", w)
                    nodes.append(cards.LinearCard(inputs=feeds, weight=weight, bias=bias))
                case graphs.Bias(value=v):
                    nodes.append(cards.BiasCard(inputs=feeds, value=self.put(f"{at}.value", v)))
                case graphs.Elementwise(activation=name):
                    nodes.append(cards.PlainCard(op=name, inputs=feeds))  # type: ignore[arg-type]
                case graphs.Flatten():
                    nodes.append(cards.PlainCard(op="flatten", inputs=feeds))
                case graphs.Add():
                    nodes.append(cards.PlainCard(op="add", inputs=feeds))
                case op:
                    raise Unsupported(
                        f"operation {type(op).__name__} at {node.name!r}", "no card describes it"
                    )
        return cards.ModelCard(nodes=nodes)

    def spec(self, c: Spec, at: str = "spec") -> Any:
        match c:
            case Halfspace(a=a, b=b):
                offset = b if isinstance(b, Tensor) else a.new_tensor(b)
                return cards.HalfspaceCard(a=self.put(f"{at}.a", a), b=self.put(f"{at}.b", offset))
            case Argmax():
                return cards.ArgmaxCard(label=c.label, event=c.event, by=float(c.by))
            case Polytope():
                return cards.PolytopeCard(a=self.put(f"{at}.a", c.a), b=self.put(f"{at}.b", c.b))
            case And(parts=parts) | Or(parts=parts):
                each = [self.spec(p, f"{at}.{i}") for i, p in enumerate(parts)]
                kind = "and" if isinstance(c, And) else "or"
                return cards.CombinationCard(type=kind, parts=each)
        raise Unsupported(f"a spec of type {c.name!r}", "no card describes it")

    def truth(self, t: Truth | None) -> cards.TruthCard | None:
        if t is None:
            return None
        keys = {k: self.put(f"truth.{k}", v) for k, v in t.gradients.items()}
        return cards.TruthCard(
            log10_p=t.log10_p, se_log10=t.se_log10, method=t.method,
            provenance=t.provenance, gradients=keys,
        )  # fmt: skip


def encode(problem: Problem) -> tuple[cards.Card, bytes]:
    """A problem as its card and the bytes of its safetensors file."""
    dtype = str(problem.distribution.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise Unsupported(f"a problem in {dtype}", f"cards hold {' or '.join(DTYPES)}")
    writer = _Writer()
    parts: dict[str, Any] = {
        "distribution": writer.distribution(problem.distribution),
        "model": writer.model(problem.graph),
        "spec": writer.spec(problem.spec),
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
    """Write the tensors, then the card, each in one atomic step."""
    card, data = encode(problem)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / card.weights.file, data)
    path = folder / f"{_file_name(problem.name)}.json"
    atomic.write(path, _text(card))
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
    return kept if kept[:1].isalnum() else f"p{kept}"


def load(path: Path) -> Problem:
    """A problem from its card's path, or from a folder that holds exactly one card."""
    path = _find(path)
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
    found = sorted(path.glob("*.json"))
    if len(found) != 1:
        raise BadInput(f"folder {path} holds {len(found)} JSON files: name the card itself")
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
    """A validated card from its JSON bytes."""
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
    if isinstance(spec, cards.CombinationCard):
        for part in spec.parts:
            _check_depth(part, depth + 1)


T = TypeVar("T")


class _Reader:
    """Looks up the tensors that a card names, each checked as it is taken."""

    def __init__(self, tensors: dict[str, Tensor], dtype: torch.dtype):
        self.tensors, self.dtype = tensors, dtype

    def get(self, key: str) -> Tensor:
        if key not in self.tensors:
            raise BadInput(f"the card names tensor {key!r}, which its tensor file lacks")
        value = self.tensors[key]
        if value.dtype not in (torch.float32, torch.float64):
            raise BadInput(f"tensor {key!r} must be float32 or float64, got {value.dtype}")
        if value.numel() == 0:
            raise BadInput(f"tensor {key!r} is empty, of shape {tuple(value.shape)}")
        check_finite(f"tensor {key!r}", value)
        return value.to(self.dtype)

    def distribution(self, c: Any) -> Distribution:
        match c:
            case cards.GaussianCard():
                return Gaussian(self.get(c.mean), self.get(c.scale))
            case cards.MixtureCard():
                parts = tuple(Gaussian(self.get(p.mean), self.get(p.scale)) for p in c.components)
                return Mixture(self.get(c.weights), parts)
            case cards.DiscreteCard():
                return Discrete(self.get(c.values), self.get(c.probs))
            case _:
                return Box(self.get(c.low), self.get(c.high))

    def model(self, c: cards.ModelCard) -> nn.Module:
        parts = [self._part(i, node) for i, node in enumerate(c.nodes)]
        return Network(parts, [node.inputs for node in c.nodes])

    def _part(self, i: int, node: Any) -> nn.Module:
        match node:
            case cards.LinearCard():
                weight = self.get(node.weight)
                if weight.ndim != 2:
                    raise BadInput(f"the weight of node {i} must have shape (out, in), "
                                   f"got {tuple(weight.shape)}")  # fmt: skip
                return dense(weight, None if node.bias is None else self.get(node.bias))
            case cards.BiasCard():
                return Shift(self.get(node.value))
        match node.op:
            case "flatten":
                return nn.Flatten()
            case "add":
                return Sum()
            case name:
                return activation_module(name, self.dtype)

    def spec(self, c: Any) -> Spec:
        match c:
            case cards.HalfspaceCard():
                return Halfspace(self.get(c.a), self.get(c.b))
            case cards.ArgmaxCard():
                return Argmax(c.label, c.event, c.by)
            case cards.PolytopeCard():
                return Polytope(self.get(c.a), self.get(c.b))
            case _:
                parts = tuple(self.spec(p) for p in c.parts)
                return And(parts) if c.type == "and" else Or(parts)

    def truth(self, c: cards.TruthCard | None) -> Truth | None:
        if c is None:
            return None
        gradients = {name: self.get(key) for name, key in c.gradients.items()}
        return Truth(c.log10_p, c.se_log10, c.method, c.provenance, gradients)


def decode(card: cards.Card, data: bytes) -> Problem:
    """The problem that a card and its tensor bytes describe."""
    try:
        tensors = safetensors_load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{card.weights.file} is not a safetensors file: {error}") from None
    reader = _Reader(tensors, DTYPES[card.dtype])
    problem = Problem(
        reader.distribution(card.distribution),
        reader.model(card.model),
        reader.spec(card.spec),
        name=card.name,
        about=card.about,
        truth=reader.truth(card.truth),
    )
    _fits(lambda: problem.graph, card)
    return problem


def _fits(check: Callable[[], T], card: cards.Card) -> T:
    """A card's model is always readable: a refusal here is the card's fault."""
    try:
        return check()
    except Unsupported as error:
        raise BadInput(f"the model of card {card.name!r} cannot be read: {error}") from None
