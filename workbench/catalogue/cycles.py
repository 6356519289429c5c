"""Tiny transformers that tell how long a function's longest cycle is: how often are they right?"""

import json
import math
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load as safetensors_load

from workbench.catalogue.folder import data_file, data_folder
from workbench.distributions import Tokens
from workbench.errors import BadInput
from workbench.models import AttentionOnly
from workbench.problem import Problem, Truth
from workbench.specs import LongestCycle


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "cycles.json").read_text())


@lru_cache(maxsize=1)
def _tensors() -> dict[str, torch.Tensor]:
    return safetensors_load(data_file("cycles.safetensors", _index()["sha256"]))


def cycle_names() -> list[str]:
    """Names of the problems of longest cycles, algzoo_cycle_h{width}_n{length}."""
    return list(_index()["problems"])


def cycle_model(tensors: dict[str, torch.Tensor], d: int, n: int) -> AttentionOnly:
    """The network of width d for n places, out of the tensors of all; frozen, in float64."""
    weights = {
        key.rpartition(".")[2]: w.double()
        for key, w in tensors.items()
        if key.startswith(f"{d}.{n}.")
    }
    model = AttentionOnly(n, n, d, n, len(weights["query"]))
    model.load_state_dict(weights)
    return model.requires_grad_(False).eval()


def cycle_problem(name: str) -> Problem:
    """D = all functions of n places alike, M two layers of attention, C "is right"; P is counted.

    M has 3 n d + 8 d^2 weights.

    Raises:
        BadInput: where no problem has this name, or the weights were altered.

    >>> problem = cycle_problem("algzoo_cycle_h2_n3")
    >>> problem.distribution.outcomes, problem.truth.se_log10
    (27, 0.0)
    """
    told = _index()["problems"].get(name)
    if told is None:
        raise BadInput(f"no problem of longest cycles is called {name!r}")
    d, n, hits = told["d"], told["n"], told["hits"]
    about = f"Two layers of attention of width {d} tell the longest cycle of a function of {n}."
    truth = Truth(math.log10(hits / n**n), 0.0, f"exact: right on {hits:,} of {n**n:,} functions")
    uniform = Tokens(torch.ones(n, n, dtype=torch.float64))
    model = cycle_model(_tensors(), d, n)
    return Problem(uniform, model, LongestCycle(), name, about, truth)
