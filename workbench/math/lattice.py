"""Rank-1 lattices: evenly spread points for integrals in some ten dimensions."""

import math
from functools import lru_cache

import torch
from torch import Tensor

_TRIED = 48
_DECAY = 0.7  # how much less each further coordinate is presumed to matter


@lru_cache(maxsize=64)
def korobov(n: int, d: int) -> Tensor:
    """n points i (1, a, a^2, ..., a^(d-1)) / n mod 1 of [0, 1)^d (Korobov 1959), `(n, d)`.

    Of some odd a, evenly spread, the one with the least worst-case error on periodic functions of
    one derivative in each coordinate, prod_j (1 + w_j (x_j^2 - x_j + 1/6)) summed over all points,
    with weights w_j that fall by 0.7. A shift by a uniform vector, mod 1, makes an integral
    unbiased (Cranley & Patterson 1976).

    Args:
        n: a power of two, to which every odd a is prime.
        d: from 1.
    """
    number = torch.arange(n)[:, None]
    weight = 2.0 * _DECAY ** torch.arange(d, dtype=torch.float64)
    best, least = torch.zeros(0), math.inf
    for k in range(_TRIED):
        a = (int((k + 0.381966) / _TRIED * n) | 1) % n
        powers = [1]
        for _ in range(d - 1):
            powers.append(powers[-1] * a % n)
        x = (number * torch.tensor(powers) % n).double() / n
        error = float((1.0 + weight * (x * x - x + 1.0 / 6.0)).prod(1).mean())
        if error < least:
            best, least = x, error
    return best
