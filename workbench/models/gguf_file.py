"""Language models out of GGUF files: sizes, float32 weights, and the tokenizer."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.errors import BadInput, Unsupported

_BYTE_LEVEL = "gpt2"
_CONTROL = 3  # type of a token that is no text


def reader(path: Path) -> Any:
    """The file, mapped into memory, by the package `gguf`.

    Raises:
        Unsupported: where the package is missing.
        BadInput: where the file is none of the format.
    """
    try:
        from gguf import GGUFReader  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Unsupported(
            "a GGUF file", "the packages gguf and tokenizers are needed: `make lm` installs them"
        ) from None
    try:
        return GGUFReader(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path.name} is no GGUF file ({error})") from None


def field(file: Any, key: str) -> Any:
    """One entry of the file's header. Raises `BadInput` where it has none of that name."""
    found = file.get_field(key)
    if found is None:
        raise BadInput(f"the GGUF file has no {key!r}")
    return found.contents()


def weights(file: Any) -> dict[str, Tensor]:
    """Every tensor by name, dequantised to float32, in torch's order of axes."""
    from gguf.quants import dequantize  # pyright: ignore[reportMissingImports]

    return {
        t.name: torch.from_numpy(dequantize(t.data, t.tensor_type).copy()) for t in file.tensors
    }


def tokenizer(file: Any) -> Any:
    """The byte-level tokenizer of the file, as the package `tokenizers` runs it.

    Digits are split singly, then words as GPT-2 does (Radford et al. 2019); control tokens such as
    `<|im_start|>` are recognised in a text.

    Raises:
        Unsupported: for another kind of tokenizer.
    """
    from tokenizers import AddedToken, Tokenizer  # pyright: ignore[reportMissingImports]
    from tokenizers.decoders import ByteLevel as Decoder  # pyright: ignore[reportMissingImports]
    from tokenizers.models import BPE  # pyright: ignore[reportMissingImports]
    from tokenizers.pre_tokenizers import (  # pyright: ignore[reportMissingImports]
        ByteLevel,
        Digits,
        Sequence,
    )

    kind = field(file, "tokenizer.ggml.model")
    if kind != _BYTE_LEVEL:
        raise Unsupported(f"a tokenizer of kind {kind!r}", "byte-level pairs are needed")
    tokens = field(file, "tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ")) for pair in field(file, "tokenizer.ggml.merges")]
    made = Tokenizer(BPE({t: i for i, t in enumerate(tokens)}, merges))
    made.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(False)])
    made.decoder = Decoder()
    kinds = field(file, "tokenizer.ggml.token_type")
    made.add_special_tokens(
        [AddedToken(t, special=True) for t, k in zip(tokens, kinds, strict=True) if k == _CONTROL]
    )
    return made
