"""Where tensors are: on the processor, or on an accelerator that torch knows.

Code that makes tensors names no device. It runs within `on(problem)`, which makes the problem's
device the default one; so do `Estimator.__call__`, `iteration.steps` and all that begins a run.
"""

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BadInput

CPU = torch.device("cpu")


def named(device: "str | torch.device") -> torch.device:
    """The device of a name such as "cuda", "cuda:1" or "mps".

    Raises:
        BadInput: where torch knows no such device, or it is not there; names those that are.
    """
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = None
    there = available()
    if wanted is None or wanted.type not in {d.type for d in there}:
        raise BadInput(f"there is no device {str(device)!r} here: use one of {_listed(there)}")
    if wanted.index is not None and wanted not in there and wanted.type != "cpu":
        raise BadInput(f"there is no device {str(device)!r} here: use one of {_listed(there)}")
    return wanted


def available() -> list[torch.device]:
    """The processor, and the accelerators that are there."""
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        return [CPU]
    count = torch.accelerator.device_count()
    return [CPU, *(torch.device(found.type, k) for k in range(count))]


def device_of(value: Any) -> torch.device | None:
    """The device of the first tensor in a frozen value or a module; None where there is none."""
    if isinstance(value, Tensor):
        return value.device
    parts: Any = ()
    if isinstance(value, nn.Module):
        parts = (*value.parameters(), *value.buffers())
    elif isinstance(value, tuple):
        parts = value
    elif dataclasses.is_dataclass(value):
        parts = (getattr(value, f.name) for f in dataclasses.fields(value))
    return next((d for part in parts if (d := device_of(part)) is not None), None)


def on(thing: Any) -> AbstractContextManager[Any]:
    """Within it tensors are made where a problem, or a device, is."""
    device = thing if isinstance(thing, torch.device) else getattr(thing, "device", CPU)
    return nullcontext() if device.type == "cpu" else torch.device(device)


def _listed(there: list[torch.device]) -> str:
    return ", ".join(str(d) for d in there)
