"""What a defect is, and what it may be measured on."""

import math
from dataclasses import dataclass

from workbench.distributions import Sampleable
from workbench.errors import Unsupported
from workbench.estimators import Estimator
from workbench.math.logspace import LN10
from workbench.problem import Problem


@dataclass(frozen=True)
class Defect:
    """How far an estimator is from one thing that it owes.

    Attributes:
        name: of the law.
        law: the law in a few words.
        digits: the defect in digits of log10 P, 0 where the law is kept; None where it cannot be
            measured, and then `reason` says why.
        estimates: how many estimates it took.
    """

    name: str
    law: str
    digits: float | None
    reason: str = ""
    estimates: int = 0


def require_deterministic(estimator: Estimator) -> None:
    """Raises `Unsupported` for an estimator that samples, or searches in the noise of D.

    The noise of draws would pass for a defect, and so do the jumps of a search that ends elsewhere:
    the second differences of the heat flow multiply both by ten thousand.
    """
    if any(issubclass(c, Sampleable) for c in estimator.needs.distribution):
        raise Unsupported(
            f"the coherence of {estimator.name!r}, which samples or searches in the noise of D",
            "a deterministic estimator whose answer is smooth in D is needed",
        )


def log_p_of(problem: Problem, estimator: Estimator) -> float:
    """log P in nats."""
    return float(estimator(problem).log_p.detach())


def digits_between(a: float, b: float) -> float:
    """|a - b| of two log P in nats, in digits; 0 where both are -inf, inf where one is."""
    if a == b:
        return 0.0
    return abs(a - b) / LN10 if math.isfinite(a) and math.isfinite(b) else math.inf
