"""Cycles of functions on finitely many places."""

import torch
from torch import Tensor


def longest_cycle(f: Tensor) -> Tensor:
    """Length `(batch,)` of the longest cycle of i -> f[i], for functions f `(batch, n)`.

    The length of the cycle through i is the least k with f^k(i) = i; every function has one.

    >>> longest_cycle(torch.tensor([[1, 2, 0], [0, 0, 1], [1, 0, 2]]))
    tensor([3, 1, 2])
    """
    n = f.shape[1]
    home = torch.arange(n, device=f.device)
    at, least = home.expand_as(f), torch.zeros_like(f)
    for k in range(1, n + 1):
        at = f.gather(1, at)
        least = torch.where((at == home) & (least == 0), k, least)
    return least.amax(1)
