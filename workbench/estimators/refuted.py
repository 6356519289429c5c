"""What draws themselves say against an answer that presumes how they are distributed.

Such an answer extends what draws show to an event that they hardly reach. The same presumption says
how often they pass bars on the way there, and C itself where P is not small: that can be counted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.estimators.monte_carlo import clopper_pearson
from workbench.math.logspace import LN10

_LEVEL = 1.0 - 1e-5
_GAP = 0.25 * LN10
_AMPLE = 100  # draws in C that tell P without its neighbours


@dataclass(frozen=True)
class Bar:
    """A bar, or C itself, and how often it is passed.

    Args:
        log_p: how often a presumption has it, in nats.
        hits: draws beyond it.
        name: of the bar, as in "430 draws lie ...".
    """

    log_p: float
    hits: int
    name: str = "in C"


def ample(in_c: int) -> bool:
    """Whether so many draws in C tell P by themselves."""
    return in_c >= _AMPLE


def refuted(log_p: float, n: int, in_c: int, bars: Iterable[Bar]) -> str:
    """What n draws pass far more or less often than presumed, C or a bar, in a clause; else empty.

    A count speaks against a presumption where that lies outside of the exact interval of 1 - 1e-5,
    and where, in proportion to the digits of P, the answer would be off by 0.25 digits. Bars on the
    way to C are asked where fewer than 100 draws lie in it.

    Args:
        log_p: the answer about C, in nats.
        n: draws.
        in_c: those in C.
        bars: on the way there.
    """
    for bar in (Bar(log_p, in_c), *(() if ample(in_c) else bars)):
        low, high = clopper_pearson(bar.hits, n, _LEVEL)
        if low <= bar.log_p <= high:
            continue
        seen = math.log(bar.hits / n) if bar.hits else high
        further = max(1.0, log_p / bar.log_p) if bar.log_p < 0.0 else 1.0
        if abs(seen - bar.log_p) * further > _GAP:
            presumed = n * math.exp(bar.log_p)
            said = f"{presumed:,.0f}" if presumed >= 10 else f"{presumed:.1g}"
            said = said if presumed >= 0.1 else "hardly any"
            return f"{bar.hits:,} of {n:,} draws lie {bar.name}, where {said} were presumed"
    return ""
