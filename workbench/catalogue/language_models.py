"""Small language models that ship with the package, each a safetensors file with its vocabulary."""

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from workbench.catalogue.folder import data_file, data_folder
from workbench.errors import BadInput
from workbench.math.checks import check_finite
from workbench.models import Transformer
from workbench.models.transformer import Shape
from workbench.vocabulary import Vocabulary


def language_models() -> list[str]:
    """Names of the language models in the package's data."""
    return sorted(_known())


@lru_cache(maxsize=8)
def language_model(name: str) -> Transformer:
    """A trained transformer by name, frozen; its file must have the sha256 that the index states.

    Raises:
        BadInput: for an unknown name, or an altered file.

    >>> language_model("char_1").vocabulary.symbols[:3]
    '\\n !'
    """
    known = _known()
    if name not in known:
        raise BadInput(f"no language model is called {name!r}: use one of {', '.join(known)}")
    data_file(f"tokens/{name}.safetensors", known[name])
    return read(data_folder() / "tokens" / f"{name}.safetensors")


def _known() -> dict[str, str]:
    """{name: sha256}."""
    return json.loads((data_folder() / "tokens" / "models.json").read_text())["sha256"]


def read(path: Path) -> Transformer:
    """A transformer from its safetensors file; frozen.

    Raises:
        BadInput: where the file is no transformer's.
    """
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        shape = Shape(**json.loads(told["shape"]))
        merges = tuple((int(a), int(b)) for a, b in tensors.pop("merges"))
        counts = tuple(int(n) for n in tensors.pop("counts"))
        vocabulary = Vocabulary(told["symbols"], merges, counts)
        model = Transformer(shape, vocabulary=vocabulary, dtype=tensors["embed"].dtype)
        model.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path.name} holds no transformer ({error})") from None
    for key, value in tensors.items():
        check_finite(f"tensor {key!r}", value)
    return model.requires_grad_(False).eval()


def write(model: Transformer, path: Path) -> str:
    """Write a transformer as `read` reads it; returns the file's sha256."""
    tensors = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    if model.vocabulary is None:
        raise BadInput("a language model is written with its vocabulary, and has none")
    told = {"shape": json.dumps(asdict(model.shape)), "symbols": model.vocabulary.symbols}
    tensors["merges"] = torch.tensor(model.vocabulary.merges, dtype=torch.int16).view(-1, 2)
    tensors["counts"] = torch.tensor(model.vocabulary.counts, dtype=torch.int32)
    save_file(tensors, path, told)
    return hashlib.sha256(path.read_bytes()).hexdigest()
