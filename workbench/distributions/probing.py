"""A user's network tried out before a distribution is built on it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.math.checks import check_at_rest


def probed(what: str, call: Callable[[Tensor], Any], dim: int, dtype: torch.dtype) -> Any:
    """What `call` makes of two zero inputs `(2, dim)`, whatever that is; no graph is kept.

    Raises:
        BadInput: where it fails, with the first line of why.
    """
    try:
        with torch.no_grad():
            return call(torch.zeros(2, dim, dtype=dtype))
    except Exception as error:  # any failure of the user's own network
        said = str(error).strip().splitlines()
        raise BadInput(
            f"{what} fails on a batch of {dim} numbers of {dtype} ({said[0] if said else error!r})"
        ) from error


def check_energy(network: Any, dim: int, dtype: torch.dtype) -> None:
    """Raises `BadInput` unless it is a module from `(batch, dim)` to `(batch, 1)`."""
    if not isinstance(network, nn.Module):
        raise BadInput(f"an energy must be a torch module, got {type(network).__name__}")
    check_at_rest("the energy", network)
    u = probed("the energy", network, dim, dtype)
    if not isinstance(u, Tensor) or u.shape != (2, 1):
        raise BadInput(
            f"an energy must map (batch, d) to (batch, 1); two inputs gave {shape_of(u)}"
        )


def shape_of(value: Any) -> str:
    """Its shape, or its type where it is no tensor."""
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
