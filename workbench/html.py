"""Small pieces of HTML: what notebooks show of a problem and of an estimate."""

import math
import re
from collections.abc import Sequence
from html import escape

MINUS = "−"


def signed(value: float, decimals: int = 2) -> str:
    """A number with a true minus sign.

    >>> signed(-7.014), signed(-math.inf)
    ('−7.01', '−∞')
    """
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:.{decimals}f}".replace("-", MINUS)


def power(log10_p: float, decimals: int = 2) -> str:
    """A probability as a power of ten.

    >>> power(-7.014), power(-math.inf)
    ('10<sup>−7.01</sup>', '0')
    """
    if log10_p == -math.inf:
        return "0"
    return f"10<sup>{signed(log10_p, decimals)}</sup>"


_RAISED = re.compile(r"(?<![\w.])(\d[\d.,]*)\^(-?\d+(?:\.\d+)?)|(?<![\w.])([\d.]+)e([-+]?\d+)\b")

_CODE = re.compile(r"`([^`<]+)`")


def prose(text: str) -> str:
    """A sentence as the library prints it, in HTML: its powers raised, its names as code.

    >>> prose("a & b bound P by 10^-1.3; below 1e-4, above 2.5e+06")
    'a &amp; b bound P by 10<sup>−1.3</sup>; below 10<sup>−4</sup>, above 2.5·10<sup>6</sup>'
    >>> prose("A_d10_1e-6: biases N(0, 0.1^2), 2 +- 1")
    'A_d10_1e-6: biases N(0, 0.1<sup>2</sup>), 2 ± 1'
    >>> prose("ask `conditioned` too")
    'ask <code>conditioned</code> too'
    """
    said = escape(text, quote=False).replace(" +- ", " ± ")
    return _CODE.sub(r"<code>\1</code>", _RAISED.sub(_raised, said))


def _raised(found: re.Match[str]) -> str:
    base, exponent, lead, order = found.groups()
    if base is None:
        base, exponent = ("10" if lead == "1" else f"{lead}·10"), f"{int(order)}"
    return f"{base}<sup>{exponent.replace('-', MINUS)}</sup>"


def facts(title: str, lines: Sequence[tuple[str, str]], beware: str = "") -> str:
    """A titled table of names and what there is to say of each.

    Args:
        title: HTML.
        lines: (name, HTML).
        beware: a sentence, as text, in the colour of warnings; "" for none.
    """
    cell = "style='text-align:left;padding:1px 14px 1px 0;vertical-align:top'"
    body = "".join(f"<tr><td {cell}>{escape(k)}</td><td {cell}>{v}</td></tr>" for k, v in lines)
    # A brown that can be read on a light and on a dark page.
    warning = f"<div style='color:#c2691c'>Beware: {prose(beware)}</div>" if beware else ""
    return f"<div><b>{title}</b><table>{body}</table>{warning}</div>"
