"""Pieces of a still picture: words, lines, and the marks that tell estimators apart."""

import math
import re
from collections.abc import Sequence
from html import escape, unescape

Point = tuple[float, float]

DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}
_TAG = re.compile(r"<(/?)(sup|sub|b|i|br|span)\b[^>]*>")
_WIDE = 0.56  # of its size that a letter takes in the mean
_RAISED = {"sup": -0.4, "sub": 0.25}  # ems


def number(value: float) -> str:
    """A pixel, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def width(text: str, size: float) -> float:
    """About how many pixels a text takes."""
    plain = [unescape(_TAG.sub("", part)) for part in re.split(r"<br\s*/?>", text)]
    return _WIDE * size * max(map(len, plain), default=0)


def words(
    at: Point, text: str, size: float, tone: str, anchor: str = "middle", turned: bool = False,
    middle: bool = True,
) -> str:  # fmt: skip
    """A text with the tags that plotly knows.

    Args:
        at: where its anchor stands.
        anchor: "start", "middle" or "end".
        turned: whether it runs upwards.
        middle: whether `at` is at half its height, or on its base line.
    """
    x, y = at
    turn = f" transform='rotate(-90 {number(x)} {number(y)})'" if turned else ""
    lines = re.split(r"<br\s*/?>", text)
    first = (0.35 if middle else 0.0) * size - 0.6 * size * (len(lines) - 1)
    spans = "".join(
        f"<tspan x='{number(x)}' y='{number(y + first + 1.2 * size * k)}'>{_spans(line)}</tspan>"
        for k, line in enumerate(lines)
    )
    return f"<text font-size='{size:g}' fill='{tone}' text-anchor='{anchor}'{turn}>{spans}</text>"


def _spans(text: str) -> str:
    """Raised and lowered letters by steps of the base line, which every reader of SVG knows."""
    made, open_tags, at, back = "", [], 0, 0.0
    for tag in _TAG.finditer(text):
        made += _run(text[at : tag.start()], open_tags, back)
        back = 0.0 if tag.start() > at else back
        at = tag.end()
        closes, name = tag.groups()
        if closes and name in open_tags:
            open_tags.remove(name)
            back -= 0.75 * _RAISED.get(name, 0.0)
        elif not closes and name != "br":
            open_tags.append(name)
    return made + _run(text[at:], open_tags, back)


def _run(text: str, tags: Sequence[str], back: float) -> str:
    if not text:
        return ""
    plain = escape(unescape(text), quote=False)
    shift = next((_RAISED[t] for t in tags if t in _RAISED), 0.0)
    style = f" dy='{shift:g}em' font-size='75%'" if shift else f" dy='{back:g}em'" if back else ""
    style += " font-weight='600'" if "b" in tags else ""
    style += " font-style='italic'" if "i" in tags else ""
    return f"<tspan{style}>{plain}</tspan>" if style else plain


def path(points: Sequence[Point | None], shape: str = "linear", closed: bool = False) -> str:
    """The `d` of a line through these points; None parts it."""
    made, before = "", None
    for point in points:
        if point is None:
            before = None
            continue
        x, y = point
        if before is None:
            made += f"M{number(x)} {number(y)}"
        elif shape == "hv":
            made += f"H{number(x)}V{number(y)}"
        elif shape == "vh":
            made += f"V{number(y)}H{number(x)}"
        else:
            made += f"L{number(x)} {number(y)}"
        before = point
    return f"{made}Z" if closed and made else made


def _ring(corners: int, turn: float = 0.0, inner: float = 0.0) -> list[Point]:
    """A regular polygon that points up, or a star with its notches at `inner`."""
    steps = corners * (2 if inner else 1)
    reach = [inner if inner and k % 2 else 1.0 for k in range(steps)]
    turns = [turn + 2.0 * math.pi * k / steps - math.pi / 2.0 for k in range(steps)]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(reach, turns, strict=True)]


_TURNED = math.pi / 4.0
_PLUS = [
    (-0.3, -1.0), (0.3, -1.0), (0.3, -0.3), (1.0, -0.3), (1.0, 0.3), (0.3, 0.3), (0.3, 1.0),
    (-0.3, 1.0), (-0.3, 0.3), (-1.0, 0.3), (-1.0, -0.3), (-0.3, -0.3),
]  # fmt: skip
_OUTLINES: dict[str, list[Point]] = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "diamond": _ring(4),
    "diamond-tall": [(0.7 * x, 1.35 * y) for x, y in _ring(4)],
    "diamond-wide": [(1.35 * x, 0.7 * y) for x, y in _ring(4)],
    "triangle-up": _ring(3),
    "triangle-down": _ring(3, math.pi),
    "triangle-left": _ring(3, -math.pi / 2.0),
    "triangle-right": _ring(3, math.pi / 2.0),
    "pentagon": _ring(5),
    "hexagon": _ring(6),
    "star": [(1.3 * x, 1.3 * y) for x, y in _ring(5, inner=0.45)],
    "hexagram": [(1.2 * x, 1.2 * y) for x, y in _ring(6, inner=0.58)],
    "star-square": [(1.3 * x, 1.3 * y) for x, y in _ring(4, _TURNED, 0.5)],
    "star-diamond": [(1.3 * x, 1.3 * y) for x, y in _ring(4, inner=0.5)],
    "cross": _PLUS,
    "x": [(0.75 * (x - y), 0.75 * (x + y)) for x, y in _PLUS],
    "bowtie": [(-1.0, -1.0), (1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)],
    "hourglass": [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)],
}
_STROKES = {"line-ns": (0.0, 1.0), "line-ew": (1.0, 0.0)}


def mark(at: Point, symbol: str, size: float, tone: str, edge: str, thick: float) -> str:
    """One mark of plotly's names; what has no outline here is a circle.

    Args:
        size: its diameter.
        edge, thick: colour and width of its rim; 0 for none.
    """
    name, _, _ = symbol.partition("-open")
    hollow = symbol.endswith("-open")
    r, (x, y) = size / 2.0, at
    rim = f" stroke='{edge}' stroke-width='{thick:g}'" if thick else ""
    ink = f"fill='none' stroke='{tone}' stroke-width='2'" if hollow else f"fill='{tone}'{rim}"
    if name in _STROKES:
        dx, dy = (r * v for v in _STROKES[name])
        ends = path([(x - dx, y - dy), (x + dx, y + dy)])
        return (
            f"<path d='{ends}' stroke='{edge if thick else tone}' stroke-width='{thick or 2:g}'/>"
        )
    if name in _OUTLINES:
        made = path([(x + r * a, y + r * b) for a, b in _OUTLINES[name]], closed=True)
        return f"<path d='{made}' {ink}/>"
    return f"<circle cx='{number(x)}' cy='{number(y)}' r='{number(r)}' {ink}/>"
