"""Tiny recurrent networks that point at one of the numbers they read: how often are they right?"""

import hashlib
import json
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load as safetensors_load

from workbench.catalogue.folder import data_folder
from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.models import RNN, dense
from workbench.problem import Problem, Truth
from workbench.specs import Points

TASKS = {"argmax": "largest", "second": "second largest", "argmedian": "middle"}
"""Tasks by name, and which number is to be found."""


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "algzoo.json").read_text())


@lru_cache(maxsize=1)
def _tensors() -> dict[str, torch.Tensor]:
    data = (data_folder() / "algzoo.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != _index()["sha256"]:
        raise BadInput("algzoo.safetensors is not the file that its index states")
    return safetensors_load(data)


def algzoo_names() -> list[str]:
    """Names of the problems of family algzoo, algzoo_{task}_h{hidden}_n{length}."""
    return list(_index()["problems"])


def algzoo_problem(name: str) -> Problem:
    """A problem of family algzoo: D = N(0, I) in n dimensions, M an RNN of h ReLUs, C "is right".

    P is the network's accuracy. M has h + h^2 + n h weights and no biases, frozen, in float64.

    Raises:
        BadInput: where no problem of the family has this name, or the weights were altered.

    >>> problem = algzoo_problem("algzoo_second_h4_n5")
    >>> sum(p.numel() for p in problem.model.parameters())
    40
    """
    told = _index()["problems"].get(name)
    if told is None:
        raise BadInput(f"no problem of the algzoo is called {name!r}")
    task, n, rank = told["task"], told["n"], told["rank"]
    weights = [
        _tensors()[f"{task}.{told['h']}.{n}.{part}"].double() for part in ("read", "recur", "say")
    ]
    read, recur, say = (dense(w) for w in weights)
    model = RNN(read, recur, say, n).requires_grad_(False).eval()
    zero = torch.zeros(n, dtype=torch.float64)
    about = f"A network of {told['h']} ReLUs points at the {TASKS[task]} of {n} numbers."
    truth = Truth(told["log10_p"], told["se_log10"], told["method"])
    return Problem(Gaussian(zero, zero + 1.0), model, Points(rank), name, about, truth)


def algzoo_size(name: str) -> int:
    """Number of weights of a problem's network."""
    told = _index()["problems"][name]
    h, n = told["h"], told["n"]
    return h + h * h + n * h
