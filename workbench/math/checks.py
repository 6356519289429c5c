"""Checks of what came in, each with one sentence on what was needed."""

import math

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, NotConverged


def check_vector(what: str, value: Tensor, length: int | None = None) -> None:
    """Raises `BadInput` unless `value` is a finite floating vector (of `length`)."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise BadInput(f"{what} must be a floating-point tensor, got {got}")
    if value.ndim != 1 or value.numel() == 0 or (length is not None and len(value) != length):
        want = "(d,)" if length is None else f"({length},)"
        raise BadInput(f"{what} must have shape {want}, got {tuple(value.shape)}")
    check_finite(what, value)


def check_finite(what: str, value: Tensor) -> None:
    """Raises `BadInput` where `value` has a NaN or an infinity."""
    if not bool(torch.isfinite(value).all()):
        bad = int((~torch.isfinite(value)).sum())
        raise BadInput(f"{what} must be finite, got {bad} NaN or infinite entries")


def check_number(what: str, value: Tensor | float) -> None:
    """Raises `BadInput` unless `value` is a finite number, or a tensor of one."""
    plain = value.detach() if isinstance(value, Tensor) else value
    try:
        fine = not isinstance(plain, bool | str) and math.isfinite(plain)
    except (TypeError, ValueError, RuntimeError):
        fine = False
    if not fine:
        raise BadInput(f"{what} must be a finite number, got {value!r}")


def known(s: Tensor, of: str = "inputs") -> Tensor:
    """Margins `(n,)` or `(n, r)` as they are. Raises `NotConverged` where one is NaN."""
    bad = int(torch.isnan(s).sum())
    if bad:
        raise NotConverged(
            f"the margin is NaN on {bad} of {s.numel()} {of}: the model or the spec overflows"
        )
    return s


def check_text(length: int, least: int, temperature: float) -> None:
    """Raises `BadInput` unless a text has at least so many symbols and a temperature above 0."""
    if isinstance(length, bool) or not isinstance(length, int) or length < least:
        raise BadInput(f"the length of a text must be a whole number above {least - 1}: {length!r}")
    if not 0 < temperature < math.inf:
        raise BadInput(f"a temperature must be a number above 0, got {temperature!r}")


def check_at_rest(what: str, network: nn.Module) -> None:
    """Raises `BadInput` where a network in training mode would draw, or change as it is asked.

    Dropout draws anew at every call, and norms that keep running statistics change them by every
    batch that they see. A training mode that changes nothing passes. A BatchNorm without running
    statistics never does: what it makes of an input depends on the others in its batch.
    """
    for name, part in network.named_modules():
        does = _restlessness(part) if part.training else ""
        if does:
            raise BadInput(
                f"{what} is in training mode, where its {type(part).__name__} at "
                f"{name or 'the root'!r} {does}: call net.eval() first"
            )
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise BadInput(
                f"{what} has a {type(part).__name__} without running statistics at "
                f"{name or 'the root'!r}, where the value of an input depends on the others in its "
                "batch: train it with track_running_stats=True"
            )


def _restlessness(part: nn.Module) -> str:
    """What the training mode of one module does to its answers."""
    match part:
        case nn.modules.dropout._DropoutNd() if part.p > 0:
            return "draws at random"
        case nn.RNNBase() | nn.MultiheadAttention() if part.dropout > 0:
            return "draws at random"
        case nn.RReLU() if part.lower < part.upper:
            return "draws at random"
        case nn.modules.batchnorm._NormBase(track_running_stats=True):
            return "changes its statistics at every call"
        case _:
            return ""
