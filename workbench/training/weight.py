"""What a digit of P weighs in the loss, from one step to the next."""

import math

_PULL, _DAMP, _MOST = 0.2, 2.0, 4.0


def towards_target(price: float, rate: float, worst: float, target: float) -> float:
    """Dual ascent on log10 P <= target: price <- max(0, price + rate (worst - target)).

    Args:
        price: of a digit, in units of the task loss.
        rate: of the ascent.
        worst: the highest log10 P of all laws; one digit below the target where it is -inf.
        target: log10 P.
    """
    gap = worst - target if math.isfinite(worst) else -1.0
    return max(0.0, price + rate * gap)


def within_allowance(price: float, lost: float, allowance: float) -> tuple[float, float]:
    """Dual ascent on lost <= allowance, in the logarithm of the price, which so stays positive:

        r = 1 - lost / allowance, cut below at -4,
        this step's price: price exp(2 r),       the next one's: price exp(0.2 r).

    What is minimised is log10 P subject to the task's constraint; its multiplier is 1 / price. The
    first factor damps the swings that the second alone would make (PI control of a multiplier:
    Stooke, Achiam and Abbeel 2020, arXiv 2007.03964).

    Args:
        price: of a digit, in units of the task loss.
        lost: how much worse the task is done than before: `Task.lost`.
        allowance: how much worse it may be done.

    Returns:
        The price of this step, and what is kept for the next one.

    >>> within_allowance(1.0, 0.02, 0.02)
    (1.0, 1.0)
    """
    room = max(-_MOST, 1.0 - lost / allowance)
    return price * math.exp(_DAMP * room), price * math.exp(_PULL * room)
