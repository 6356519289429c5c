"""The law on [-pi/2, pi/2] whose density is proportional to cos^k.

It is the law of the angle between a direction, uniform on the sphere of R^(k + 2), and the
hyperplane across a given axis.
"""

import math

import torch
from torch import Tensor


def cosine_cdf(angle: Tensor, k: int) -> Tensor:
    """Share of the law of cos^k below each angle, by the recurrence of its integrals, exactly.

    C_k = int cos^k = cos^(k-1) sin / k + (k - 1) / k C_(k-2), from C_0 = angle and C_1 = sin.

    Args:
        angle: in [-pi/2, pi/2].
        k: a whole number from 0.

    >>> float(cosine_cdf(torch.tensor(math.pi / 6), 1))
    0.75
    """
    s, c = torch.sin(angle), torch.cos(angle)
    odd = k % 2
    total, integral, power = (2.0, s, c * c) if odd else (math.pi, angle, c)
    for j in range(2 + odd, k + 1, 2):
        integral = power * s / j + (j - 1) / j * integral
        total *= (j - 1) / j
        power = power * c * c
    return 0.5 + integral / total
