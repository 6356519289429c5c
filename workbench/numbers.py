"""Numbers with the digits that they deserve, as tables print them."""

import math

UNKNOWN = "–"
_PLAIN = 2
_MOST = 4


def places(error: float | None, unknown: int = _PLAIN) -> int:
    """Decimals that show an error to two digits, 1 to 4; `unknown` of them where it is not known.

    >>> places(0.012), places(1.5), places(None), places(1e-9)
    (3, 1, 2, 4)
    """
    if error is None or not math.isfinite(error) or error <= 0:
        return unknown
    return min(_MOST, max(1, 1 - math.floor(math.log10(error))))


def power(log10_p: float | None, error: float | None = None) -> str:
    """A probability by its log10, with the decimals that its error leaves.

    >>> power(-8.9712), power(-8.9712, 0.013), power(-math.inf), power(0.0)
    ('10^-8.97', '10^-8.971', '0', '1')
    >>> power(-1e-3), power(1e-3)  # the mean of weights may exceed 1
    ('1 - 2.3e-03', '1 + 2.3e-03')
    """
    if log10_p is None:
        return UNKNOWN
    if log10_p == -math.inf:
        return "0"
    if log10_p == 0:
        return "1"
    if abs(log10_p) < 0.005:
        off = math.expm1(log10_p * math.log(10.0))
        return f"1 {'-' if off < 0 else '+'} {abs(off):.1e}"
    return f"10^{log10_p:.{places(error)}f}"


def span(low: float, high: float, error: float | None = None) -> str:
    """From one probability to another.

    >>> span(-5.06, -4.92), span(-math.inf, -4.92), span(-7.4, -7.4)
    ('10^-5.06…-4.92', '0…10^-4.92', '10^-7.40')
    """
    first, last = power(low, error), power(high, error)
    if first == last:
        return first
    return f"{first}…{last.removeprefix('10^') if first.startswith('10^') else last}"


def digits(error: float | None) -> str:
    """A standard error of log10 P.

    >>> digits(0.01234), digits(1.5), digits(math.inf), digits(None), digits(2e-7)
    ('0.012', '1.5', 'unknown', '–', '2e-07')
    """
    if error is None:
        return UNKNOWN
    if not math.isfinite(error):
        return "unknown"
    if 0 < error < 1e-3:
        return f"{error:.0e}"
    return f"{error:.{places(error)}f}"


def signed(error: float | None, claimed: float | None = None) -> str:
    """A signed error in digits; tiny ones by their order of magnitude.

    >>> signed(-1.234), signed(0.0123, 0.05), signed(-3e-11), signed(0.0), signed(-math.inf)
    ('-1.23', '+0.012', '-3e-11', '0', 'blind')
    """
    if error is None:
        return UNKNOWN
    if math.isinf(error):
        return "blind" if error < 0 else "inf"
    if error == 0:
        return "0"
    if abs(error) < 5e-4:
        return f"{error:+.0e}"
    size = min(abs(error), claimed) if claimed and math.isfinite(claimed) else abs(error)
    return f"{error:+.{max(_PLAIN, min(3, places(size)))}f}"


def count(number: float | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if number is None else f"{round(number):,}"


def several(n: int, noun: str) -> str:
    """A number of things.

    >>> several(1, "step"), several(2000, "forward pass")
    ('1 step', '2,000 forward passes')
    """
    ending = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{ending}"


def seconds(value: float | None) -> str:
    """Seconds to three digits, no finer than a tenth of a millisecond.

    >>> seconds(0.00042), seconds(0.0123), seconds(1.234), seconds(61.7)
    ('0.0004', '0.012', '1.23', '61.7')
    """
    if value is None:
        return UNKNOWN
    if value < 0.01:
        return f"{value:.4f}"
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1}f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds to three digits."""
    if value is None:
        return UNKNOWN
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def small(value: float | None) -> str:
    """Two significant digits or so.

    >>> small(9.7e-5), small(140.2), small(0.153), small(0.98), small(1.0), small(2900.0)
    ('9.7e-05', '140', '0.15', '0.98', '1.0', '2,900')
    """
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    if abs(value) < 1e-2:
        return f"{value:.1e}"
    if abs(value) < 10:
        return f"{value:.{1 if abs(value) >= 1 else 2}f}"
    return f"{float(f'{value:.2g}'):,.0f}"
