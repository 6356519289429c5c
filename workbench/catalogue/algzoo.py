"""Tiny recurrent networks that tell which of the numbers they read is this or that: how often are
they right?"""

import json
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load as safetensors_load

from workbench.catalogue.folder import data_file, data_folder
from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.models import RNN, built, dense
from workbench.problem import Problem, Truth
from workbench.specs import Median, Points

TASKS = {
    "argmax": "points at the largest", "second": "points at the second largest",
    "argmedian": "points at the middle one", "median": "says the median",
}  # fmt: skip
"""Tasks by name, and what the network does with its numbers."""
BUILT = {
    f"algzoo_{task}_built_n{n}": (task, n)
    for task, n in (
        ("argmax", 2), ("argmax", 3), ("argmax", 5), ("second", 2), ("second", 3),
        ("argmedian", 3), ("median", 2), ("median", 3),
    )
}  # fmt: skip
"""Problems of networks that are right on every input by construction, their tasks and lengths."""
WITHIN = 0.1
"""How near a median has to be, in deviations of an input."""


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "algzoo.json").read_text())


@lru_cache(maxsize=1)
def _tensors() -> dict[str, torch.Tensor]:
    return safetensors_load(data_file("algzoo.safetensors", _index()["sha256"]))


def algzoo_names() -> list[str]:
    """Names of the problems of recurrent networks, algzoo_{task}_{h{hidden} or built}_n{length}."""
    return [*_index()["problems"], *BUILT]


def algzoo_problem(name: str) -> Problem:
    """D = N(0, I) in n dimensions, M an RNN of h ReLUs, C "is right": P is its accuracy.

    M has no biases, and is trained, or built by hand (`built`); frozen, in float64.

    Raises:
        BadInput: where no problem has this name, or the weights were altered.

    >>> problem = algzoo_problem("algzoo_second_h4_n5")
    >>> sum(p.numel() for p in problem.model.parameters())
    40
    """
    if name in BUILT:
        task, n = BUILT[name]
        model = built(task, n)
        truth = Truth(0.0, 0.0, "exact: right in every cell of inputs on which M is linear")
    elif (told := _index()["problems"].get(name)) is not None:
        task, n = told["task"], told["n"]
        parts = ("read", "recur", "say")
        weights = [_tensors()[f"{task}.{told['h']}.{n}.{part}"].double() for part in parts]
        read, recur, say = (dense(w) for w in weights)
        model = RNN(read, recur, say, n).requires_grad_(False).eval()
        truth = Truth(told["log10_p"], told["se_log10"], told["method"])
    else:
        raise BadInput(f"no problem of the algzoo is called {name!r}")
    zero = torch.zeros(n, dtype=torch.float64)
    ranks = {"argmax": 0, "second": 1, "argmedian": n // 2}
    spec = Points(ranks[task]) if task in ranks else Median(WITHIN)
    h = model.recur.in_features
    how = "made by hand, " if name in BUILT else ""
    about = f"A network of {h} ReLUs, {how}{TASKS[task]} of {n} numbers."
    if task == "median":
        about = f"{about[:-1]}, right where nearer than {WITHIN}."
    return Problem(Gaussian(zero, zero + 1.0), model, spec, name, about, truth)
