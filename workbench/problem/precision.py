"""A problem in another floating-point precision, or on another device."""

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.device import named, on
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.problem.core import Problem


def converted(
    problem: "Problem", dtype: torch.dtype | None, device: str | torch.device | None
) -> "Problem":
    """D, M and C, every floating-point tensor in `dtype`, all on `device`; see `Problem.to`."""
    if dtype not in (None, torch.float32, torch.float64):
        raise BadInput(f"a problem can be in torch.float32 or torch.float64, not in {dtype}")
    where = problem.device if device is None else named(device)
    model = problem.model
    with on(where):  # D and C are made anew, and checked
        if isinstance(model, torch.nn.Module):
            model = copy.deepcopy(model).to(device=where, dtype=dtype)
        return dataclasses.replace(
            problem,
            distribution=_cast(problem.distribution, dtype, where),
            model=model,
            spec=_cast(problem.spec, dtype, where),
        )


def _cast(value: Any, dtype: torch.dtype | None, device: torch.device) -> Any:
    """Frozen values of tensors, and of such values, made anew."""
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else None)
    if isinstance(value, torch.nn.Module):  # of an energy, a recogniser or a head
        return copy.deepcopy(value).to(device=device, dtype=dtype)
    if isinstance(value, tuple):
        return tuple(_cast(part, dtype, device) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        cast = {n: _cast(getattr(value, n), dtype, device) for n in names}
        return dataclasses.replace(value, **cast)
    return value
