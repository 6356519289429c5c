"""A task out of a file of examples: what M is for, of which a card says nothing."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from workbench.errors import BadInput
from workbench.experiments.csv_numbers import read_rows
from workbench.problem import Problem
from workbench.training import Task

HELD_OUT = 0.2
"""Share of the examples that no step learns from."""


def read_task(path: str | Path, problem: Problem) -> Task:
    """The examples of a file as a task for the model of `problem`, a fifth of them held out.

    In a CSV file the d inputs of an example come first, then its class, counted from 0, where M
    has several outputs and one number is left; else the k values that M should put out. A
    safetensors file holds `inputs` `(n, ...)` and `targets`, classes `(n,)` as whole numbers or
    values `(n, k)`. Which examples are held out depends on how many there are, and on nothing else.

    Raises:
        BadInput: where the file is neither, or does not fit D and M.
    """
    file = Path(path)
    if not file.is_file():
        raise BadInput(f"there is no file of examples at {str(path)!r}")
    match file.suffix:
        case ".csv":
            inputs, targets = _from_csv(file, problem)
        case ".safetensors":
            inputs, targets = _from_tensors(file)
        case _:
            raise BadInput(f"examples are read from .csv or .safetensors; got {str(path)!r}")
    d, k = problem.distribution.dim, problem.outputs
    if inputs.ndim != 2 or inputs.shape[1] != d:
        raise BadInput(f"D has {d} inputs, the examples in {file.name} {tuple(inputs.shape[1:])}")
    if targets.is_floating_point():
        targets = (targets[:, None] if targets.ndim == 1 else targets).to(problem.dtype)
        fits = targets.shape[1:] == (k,)
    else:
        targets = targets.long()
        fits = targets.ndim == 1 and k > 1 and 0 <= int(targets.min()) <= int(targets.max()) < k
    if not fits:
        raise BadInput(
            f"M has {k} outputs: the targets in {file.name} must be {k} numbers each"
            + (f", or classes from 0 to {k - 1}" if k > 1 else "")
        )
    return Task.split(inputs.to(problem.dtype), targets, HELD_OUT)


def _from_csv(file: Path, problem: Problem) -> tuple[Tensor, Tensor]:
    rows, d = read_rows(file, "example"), problem.distribution.dim
    inputs, left = rows[:, :d], rows[:, d:]
    if left.shape[1] not in (1, problem.outputs):
        raise BadInput(
            f"an example in {file.name} has {rows.shape[1]} numbers; D has {d} inputs, so that "
            f"{d + 1} are needed for a class, {d + problem.outputs} for M's outputs"
        )
    if left.shape[1] == 1 and problem.outputs > 1:
        if not torch.equal(left, left.round()):
            raise BadInput(f"the last number of an example in {file.name} is no class: not whole")
        return inputs, left[:, 0].long()
    return inputs, left


def _from_tensors(file: Path) -> tuple[Tensor, Tensor]:
    try:
        held = load_file(file)
    except SafetensorError:
        raise BadInput(f"{file.name} is no safetensors file") from None
    if not {"inputs", "targets"} <= held.keys():
        raise BadInput(
            f"{file.name} must hold the tensors 'inputs' and 'targets'; it has {', '.join(held)}"
        )
    x, y = held["inputs"], held["targets"]
    if x.ndim < 2 or not len(x) or len(x) != len(y) or y.ndim not in (1, 2):
        raise BadInput(
            f"{file.name} needs inputs (n, ...) and n targets, got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    if not (x.double().isfinite().all() and y.double().isfinite().all()):
        raise BadInput(f"the examples in {file.name} hold NaN or infinity")
    return x.flatten(1), y
