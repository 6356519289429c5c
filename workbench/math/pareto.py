"""The tail index of importance weights."""

import math

import torch
from torch import Tensor


def tail_index(largest: Tensor, draws: int) -> float:
    """Index k of the generalised Pareto law fitted to the largest weights.

    Moments of order above 1 / k do not exist: beyond 0.5 the weights' variance is infinite, beyond
    0.7 their mean is no longer to be trusted (Vehtari et al., arXiv 1507.02646). Zhang & Stephens'
    (2009) estimate on the min(draws / 5, 3 sqrt(draws)) largest weights, with their weak prior
    towards 1/2; inf where fewer than 6 are at hand.

    Args:
        largest: log weights, in any order; the others are smaller.
        draws: of all weights, zeros included.
    """
    wanted = _fitted(len(largest), draws)
    logs = torch.sort(largest.double(), descending=True).values
    if wanted < 5:
        return math.inf
    scaled = torch.exp(logs[: wanted + 1] - logs[0])
    x = torch.flip(scaled[:wanted] - scaled[wanted], (0,))
    x = x[x > 0]
    n = len(x)
    if n < 5:
        return -math.inf if n == 0 else math.inf
    m = 30 + int(math.sqrt(n))
    grid = torch.arange(1, m + 1, dtype=x.dtype)
    quartile = x[max(0, int(n / 4 + 0.5) - 1)]
    theta = 1.0 / x[-1] + (1.0 - torch.sqrt(m / (grid - 0.5))) / (3.0 * quartile)
    k = torch.log1p(-theta[:, None] * x).mean(1)
    likelihood = n * (torch.log(-theta / k) - k - 1.0)
    weight = torch.softmax(likelihood, 0)
    found = float(torch.log1p(-(theta * weight).sum() * x).mean())
    return (found * n + 10.0 * 0.5) / (n + 10.0)


def standard_error(k: float, known: int, draws: int) -> float:
    """Of that estimate, (1 + k) / sqrt(weights fitted), as of the likeliest k (Smith 1987); inf
    where it has none.

    Args:
        k: the index.
        known: how many of the largest weights are at hand.
        draws: of all weights.
    """
    fitted = _fitted(known, draws)
    return math.inf if fitted < 5 else (1.0 + max(k, 0.0)) / math.sqrt(fitted)


def _fitted(known: int, draws: int) -> int:
    return min(int(min(draws / 5, 3.0 * math.sqrt(draws))), known - 1)
