"""What an estimate costs: forward passes, floating-point operations, seconds.

Operation counts are the textbook ones: a multiply-add is two, an elementwise step is one.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Cost of an estimate.

    `forwards` are evaluations of M; a method that never evaluates M is charged the
    forward-equivalents of its operations, so that one column compares them all.
    """

    forwards: int = 0
    flops: float = 0.0
    seconds: float = 0.0


def forward_equivalents(flops: float, flops_per_forward: float) -> int:
    """Operations as a number of forward passes, rounded up."""
    return math.ceil(flops / max(flops_per_forward, 1.0))


def matmul(m: int, k: int, n: int) -> float:
    """Operations of an (m, k) @ (k, n) product."""
    return 2.0 * m * k * n


def hermite_series(n: int, order: int) -> float:
    """Operations of an n x n covariance by `order` terms of its Hermite series."""
    return 3.0 * order * n * n
