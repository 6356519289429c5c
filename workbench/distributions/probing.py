"""A user's network tried out before a distribution is built on it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from workbench.errors import BadInput


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


def shape_of(value: Any) -> str:
    """Its shape, or its type where it is no tensor."""
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
