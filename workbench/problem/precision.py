"""A problem in another floating-point precision."""

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.problem.core import Problem


def converted(problem: "Problem", dtype: torch.dtype) -> "Problem":
    """D, M and C with every floating-point tensor in `dtype`; see `Problem.to`."""
    if dtype not in (torch.float32, torch.float64):
        raise BadInput(f"a problem can be in torch.float32 or torch.float64, not in {dtype}")
    model = problem.model
    if isinstance(model, torch.nn.Module):
        model = copy.deepcopy(model).to(dtype)
    return dataclasses.replace(
        problem,
        distribution=_cast(problem.distribution, dtype),
        model=model,
        spec=_cast(problem.spec, dtype),
    )


def _cast(value: Any, dtype: torch.dtype) -> Any:
    """Frozen values of tensors, and of such values, made anew."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, tuple):
        return tuple(_cast(part, dtype) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        return dataclasses.replace(value, **{n: _cast(getattr(value, n), dtype) for n in names})
    return value
