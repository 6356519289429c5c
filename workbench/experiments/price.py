"""What repeats of a method say of its price: W10, or why there is none."""

import math
import statistics
from collections.abc import Sequence

from workbench.math.logspace import LN10
from workbench.problem import Truth

TOLERANCE = 0.1
"""The relative error that W10 is the price of."""

_HOPELESS = 50.0  # of log-variance: exp of it is out of any sampler's reach


def relative_variance(logs: Sequence[float]) -> float | None:
    """Var(P-hat) / E[P-hat]^2 from repeats of log P-hat in nats; None where it is not known.

    Repeats are close to log-normal: expm1(var(log P-hat)), which a rare large repeat does not
    dominate as it does the variance of P-hat. With answers of 0 among them it is the latter.

    >>> relative_variance([0.0, 0.0]), relative_variance([0.0])
    (0.0, None)
    """
    if len(logs) < 2 or max(logs) == -math.inf:
        return None
    if min(logs) > -math.inf:
        variance = statistics.variance(logs)
        return math.expm1(variance) if variance < _HOPELESS else math.inf
    top = max(logs)
    values = [math.exp(x - top) for x in logs]
    return statistics.variance(values) / statistics.fmean(values) ** 2


def price(spread: float | None, forwards: float) -> float | None:
    """W10: forward-equivalents for a relative error of 10%, by averaging runs like these.

    Relative variance times the cost of a run over 0.01; one run where the repeats do not differ.

    >>> price(0.04, 1000.0), price(0.0, 10.0), price(None, 10.0)
    (4000.0, 10.0, None)
    """
    if spread is None:
        return None
    return forwards if spread == 0 else spread * forwards / TOLERANCE**2


def offset(logs10: Sequence[float], truth: Truth, spread: float | None) -> float | None:
    """Mean of P-hat / P less 1 where no number of runs brings it within 10%; else None.

    That is said where it exceeds 10% by more than three standard errors, those of the truth
    included: averaging runs mends the spread of a method and not its bias.
    """
    # Beyond 10^300 the ratio is out of range, and so far off that its size says nothing more.
    mean = statistics.fmean(10.0 ** min(300.0, x - truth.log10_p) for x in logs10) - 1.0
    # The spread is relative to the mean of the runs, which may be far below P.
    noise = 0.0 if spread is None else (1.0 + mean) * math.sqrt(spread / len(logs10))
    slack = TOLERANCE + 3.0 * math.hypot(noise, LN10 * truth.se_log10)
    return mean if abs(mean) > slack else None
