"""How well a score tells anomalous inputs from normal ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.special import stdtrit
from torch import Tensor

from workbench.errors import BadInput


@dataclass(frozen=True)
class Auroc:
    """P(an anomalous input scores above a normal one), ties counted half.

    Args:
        value: in [0, 1]; 0.5 tells nothing.
        err: standard error over the inputs.
    """

    value: float
    err: float


def auroc(anomalous: Tensor, normal: Tensor) -> Auroc:
    """The area under the ROC curve with DeLong's standard error (DeLong et al. 1988).

    value = mean over pairs of [a > b] + [a = b] / 2;
    err^2 = Var_i(V_i) / m + Var_j(V_j) / n, V_i and V_j its means over the other kind.

    Args:
        anomalous: scores `(m,)`, m >= 2.
        normal: scores `(n,)`, n >= 2.

    Raises:
        BadInput: for too few scores, or a NaN.

    >>> auroc(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0])).value
    0.875
    """
    if anomalous.ndim != 1 or normal.ndim != 1 or min(len(anomalous), len(normal)) < 2:
        raise BadInput("an AUROC needs two or more scores of either kind")
    if bool(torch.isnan(anomalous).any() or torch.isnan(normal).any()):
        raise BadInput("an AUROC of scores that are NaN is not defined")
    of_each = _placements(anomalous, normal)
    of_other = 1.0 - _placements(normal, anomalous)
    var = of_each.var() / len(of_each) + of_other.var() / len(of_other)
    return Auroc(float(of_each.mean()), math.sqrt(float(var)))


def _placements(scores: Tensor, others: Tensor) -> Tensor:
    """Share of the others below each score, ties half, `(len(scores),)`."""
    ranked = others.sort().values
    below = torch.searchsorted(ranked, scores.contiguous())
    upto = torch.searchsorted(ranked, scores.contiguous(), right=True)
    return 0.5 * (below + upto).double() / len(others)


@dataclass(frozen=True)
class OverSeeds:
    """A mean over seeds with its 95% interval (Student's t), and the worst seed."""

    mean: float
    low: float
    high: float
    worst: float
    seeds: int


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """Summary of one AUROC a seed; the interval is NaN-free and within [0, 1].

    A single seed has the interval [0, 1]. Raises `BadInput` for no values.
    """
    n = len(values)
    if n == 0:
        raise BadInput("a summary over seeds needs at least one")
    mean = math.fsum(values) / n
    if n == 1:
        return OverSeeds(mean, 0.0, 1.0, mean, 1)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    return OverSeeds(mean, max(0.0, mean - half), min(1.0, mean + half), min(values), n)
