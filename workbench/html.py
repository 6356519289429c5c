"""Small pieces of HTML: what notebooks show of a problem and of an estimate."""

import math
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
    warning = f"<div style='color:#c2691c'>Beware: {escape(beware)}</div>" if beware else ""
    return f"<div><b>{title}</b><table>{body}</table>{warning}</div>"
