"""What may be divided by."""

import torch
from torch import Tensor

_ROOM = 1e8


def divisor(x: Tensor) -> Tensor:
    """x, at least 0, with zeros lifted to a tiny number that x's precision has.

    Numbers of order 1 over it are still finite. (1e-300 is 0 in float32.)

    >>> float(torch.zeros(()) / divisor(torch.zeros(())))
    0.0
    """
    return x.clamp(min=_ROOM * torch.finfo(x.dtype).tiny)
