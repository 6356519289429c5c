"""Standard deviations that may be divided by."""

import torch
from torch import Tensor


def safe_std(var: Tensor) -> Tensor:
    """sqrt(var), with variances of 0 (or rounded below it) lifted to a tiny positive number."""
    tiny = torch.finfo(var.dtype).tiny ** 0.65
    return torch.sqrt(torch.clamp(var, min=tiny))
