"""Sequences whose steps code puts before the batch: `x.transpose(0, 1)`, layers without
batch_first. They are read as if the batch came first."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from workbench.graph.call import Call, Computed, Constant, Feed, leaves
from workbench.graph.operations import OF_MORE
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.permute import ORDERS
from workbench.graph.operations.rearranging import is_int

_ALONG_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Dropout, nn.Identity)
_OVER = ("mean", "sum", "amax", "amin", "max", "min")
_WHOLE = slice(None)


@dataclass(frozen=True)
class TimeFirst:
    """Stands for a known value with its first two axes exchanged, `(steps, batch, ...)`."""

    feed: Feed


def exchanged(call: Call) -> Feed | TimeFirst | None:
    """What a call gives that exchanges the first two axes of a value; None where it is no such."""
    if call.module is not None or call.kwargs or not call.args:
        return None
    first, axes = call.args[0], list(leaves(call.args[1:], object))
    if not isinstance(first, Feed | TimeFirst) or not all(map(is_int, axes)):
        return None
    if call.name == "permute":
        swaps = axes == [1, 0, *range(2, len(axes))]
    else:
        swaps = call.name in ORDERS and sorted(axes) == [0, 1]
    if not swaps:
        return None
    return TimeFirst(first) if isinstance(first, Feed) else first.feed


def batch_first(call: Call) -> tuple[Call, bool]:
    """The same call on values with the batch first, and whether its value has the steps first.

    Raises:
        Unsupported: where the call is none that is known of such values.
    """
    asked = replace(
        call, args=tuple(map(_fed, call.args)), kwargs={k: _fed(v) for k, v in call.kwargs.items()}
    )
    if isinstance(call.module, OF_MORE):
        return replace(asked, time_first=True), True
    if isinstance(call.module, _ALONG_LAST) or call.name == "dropout":
        return asked, True
    if call.name in ("add", "sub", "mul", "div") and not call.kwargs:
        return replace(asked, args=tuple(_turned(call, a) for a in asked.args)), True
    if call.name == "getitem":
        index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
        first, second, *others = (*index, _WHOLE) if len(index) == 1 else index
        if second == _WHOLE and (is_int(first) or isinstance(first, slice)):
            taken = (_WHOLE, first, *others)
            return replace(asked, args=(asked.args[0], taken)), isinstance(first, slice)
    if call.name in _OVER and call.argument(1, "dim") == 0 and not call.argument(2, "keepdim"):
        return replace(asked, args=asked.args[:1], kwargs={"dim": 1}), False
    if len(asked.feeds) == 1 and Elementwise.read(asked) is not None:
        return asked, True
    raise call.refuse(f"{call.what} of values whose batch axis is not the first")


def handed_on(made: Any) -> Any:
    """What code has of a call whose value has the steps first."""
    if isinstance(made, tuple):
        return (TimeFirst(made[0]), *made[1:])
    return TimeFirst(made)


def _fed(given: Any) -> Any:
    return given.feed if isinstance(given, TimeFirst) else given


def _turned(call: Call, given: Any) -> Any:
    """A tensor of the model beside such values, `(steps, 1, ...)`, for the batch to come first."""
    if not isinstance(given, Constant) or given.value.ndim < 2:
        return given
    if given.value.ndim != 3:
        raise call.refuse(f"{call.what} of values whose batch axis is not the first")
    return Computed(torch.transpose, (given, 0, 1), {})
