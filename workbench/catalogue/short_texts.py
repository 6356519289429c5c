"""Problems of words in the text of a short-sighted language model: all of them exactly known."""

import json
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load as safetensors_load

from workbench.catalogue.folder import data_file, data_folder
from workbench.distributions import ShortText
from workbench.errors import BadInput
from workbench.models import ShortContext, watching
from workbench.problem import Problem, Truth
from workbench.specs import Halfspace, Spec


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "tokens" / "short_text.json").read_text())


def short_text_names() -> list[str]:
    """Names of the problems of family L."""
    return sorted(_index()["problems"])


@lru_cache(maxsize=1)
def short_text() -> ShortText:
    """Sixteen symbols by a language model of 4,905 weights that sees the last two; frozen.

    Raises:
        BadInput: where its file is not the one that the index states.
    """
    told = _index()
    data = data_file("tokens/short_text.safetensors", told["sha256"])
    network = ShortContext(
        len(told["symbols"]), told["context"], told["width"], told["hidden"], dtype=torch.float64
    )
    network.load_state_dict(safetensors_load(data))
    prompt = tuple(told["symbols"].index(c) for c in told["prompt"])
    return ShortText(network.requires_grad_(False).eval(), prompt, told["length"])


def short_text_symbols() -> str:
    """The symbols 0, 1, ... of `short_text`."""
    return _index()["symbols"]


def short_text_problem(name: str) -> Problem:
    """A problem of family L: D `short_text`, M an automaton that watches for words, C it saw one.

    Output 0 of M is of the word that was planted, the others are of words that M fails on
    elsewhere; each is positive where the text holds the word (`models.watching`).

    Raises:
        BadInput: where no problem of the family has this name.

    >>> problem = short_text_problem("L_zap_1e-7")
    >>> round(problem.truth.log10_p, 2)
    -6.99
    """
    told = _index()["problems"].get(name)
    if told is None:
        raise BadInput(f"no problem of text is called {name!r}")
    words = [told["planted"], *told["elsewhere"]]
    symbols, d = short_text_symbols(), short_text()
    numbers = [[symbols.index(c) for c in w] for w in words]
    model = watching(numbers, d.alphabet, torch.float64, symbols)
    spec: Spec = planted(len(words))
    for i in range(1, len(words)):
        spec = spec | planted(len(words), i)
    about = f"{d.length} symbols of a language model hold " + " or ".join(map(repr, words)) + "."
    made = {k: _index()["made"][k] for k in ("command", "torch", "machine")}
    truth = Truth(told["log10_p"], 0.0, "exact: a sum over contexts and last symbols read", made)
    return Problem(d, model, spec, name, about, truth)


def planted(outputs: int, index: int = 0) -> Spec:
    """The text holds word `index` of an automaton that watches for `outputs` words."""
    normal = torch.zeros(outputs, dtype=torch.float64)
    normal[index] = 1.0
    return Halfspace(normal, 0.0)
