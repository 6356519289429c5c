"""How all figures look: colours, symbols, axes of probability, lines and bands.

Every estimator keeps one colour and one symbol in all charts; the truth is black (white on dark),
bounds are grey. Axes of probability are labelled as powers of ten.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from zlib import crc32

from workbench.html import MINUS
from workbench.views.roster import roster

ACCENTS = {
    "moments": ("#0072B2", "circle"),
    "moments_mean": ("#56B4E9", "circle-open"),
    "monte_carlo": ("#D55E00", "diamond"),
    "importance": ("#009E73", "square"),
    "subset": ("#CC79A7", "triangle-up"),
    "gld": ("#E69F00", "cross"),
    "moments_cumulant": ("#874465", "star"),
    "conditioned": ("#A05EF7", "hexagon"),
    "lower": ("#786D5B", "triangle-right"),
    "upper": ("#4A5E80", "triangle-left"),
    "change_of_measure": ("#B91A96", "x"),
    "main_effects": ("#7575D2", "cross-open"),
}
"""{row: (colour, marker)}, the first six are Okabe & Ito's palette without its yellow, which
is lost on white."""
SPARE = (
    ("#6B3DD8", "pentagon"), ("#98AD85", "bowtie"),
    ("#9C3A11", "hourglass"), ("#8286E6", "square-open"), ("#798940", "triangle-down"),
    ("#957391", "hexagram"), ("#F67BD1", "triangle-up-open"), ("#9E04FF", "diamond-open"),
    ("#E0A4B7", "star-square"), ("#75C356", "diamond-tall"), ("#F122CE", "star-diamond"),
    ("#A5994A", "x-open"), ("#A45705", "star-open"), ("#6A583D", "hexagon-open"),
    ("#D11BB7", "pentagon-open"), ("#8224B2", "diamond-wide"), ("#829AFF", "circle-cross"),
    ("#D76C75", "square-cross"),
)  # fmt: skip
"""For all other rows. Each is as far as can be from those before it, for eyes with and without red,
green or blue cones, and visible on light and dark ground."""
CATASTROPHE = "rgba(213,94,0,.10)"
GREY = "#8a8f98"
BOUND = "rgba(128,128,128,.16)"
TONES = {
    False: "--wb-bad: #b3261e; --wb-warn: #9a4a08;",
    True: "--wb-bad: #ff8f85; --wb-warn: #f0ad4e;",
}
"""{dark: what is wrong and what to beware of, as text}: at least 5.5 to 1 on either ground."""

GROUNDS = {False: "background:#ffffff;color:#1b1f24", True: "background:#1b1f24;color:#d6d9de"}
"""{dark: the ground and the ink of what is legible wherever it stands}: in a notebook the ground of
the page is not known."""

Figure = dict[str, Any]

_FEW = 3  # decades on which there is room for three labels each
_CLOSE = 0.5  # of a decade, on which there may be none of them


@cache
def _accents() -> dict[str, tuple[str, str]]:
    """Hand-chosen ones, and for every other row the free spare nearest to where its name points.

    So a new estimator brings its own accent and leaves those of the others alone.
    """
    found = dict(ACCENTS)
    for key in sorted(roster()):
        if key not in found:
            found[key] = _spare(key, set(found.values()))
    return found


def _spare(key: str, taken: set[tuple[str, str]]) -> tuple[str, str]:
    first = crc32(key.encode())
    ring = [SPARE[(first + k) % len(SPARE)] for k in range(len(SPARE))]
    return next((accent for accent in ring if accent not in taken), ring[0])


def colour(key: str) -> str:
    """The accent of a row, the same in every chart and table."""
    return (_accents().get(key) or _spare(key, set()))[0]


def symbol(key: str) -> str:
    """The marker of a row, for those who do not tell the colours apart."""
    return (_accents().get(key) or _spare(key, set()))[1]


def ink(dark: bool) -> str:
    """Black on light, near white on dark: the truth."""
    return "#f2f2f2" if dark else "#000000"


def layout(dark: bool, height: int, **more: Any) -> Figure:
    """What all figures share: transparent ground, quiet grid, zoom kept over updates."""
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12, "color": "#c8ccd2" if dark else "#3c4148"},
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "uirevision": "keep",
        "showlegend": False,
        "hoverlabel": {"align": "left"},
        **more,
    }


def blank(dark: bool, height: int, said: str) -> Figure:
    """The place of a figure that is not there yet, with what there is to say of that."""
    hidden = {"visible": False, "range": [0.0, 1.0]}
    note = {
        "x": 0.5, "xref": "paper", "y": 0.5, "yref": "paper", "text": said, "showarrow": False,
        "font": {"size": 13, "color": GREY},
    }  # fmt: skip
    look = layout(dark, height, xaxis=hidden, yaxis=hidden, annotations=[note])
    return {"data": [], "layout": look}


def axis(dark: bool, **more: Any) -> Figure:
    """A quiet axis."""
    return {
        "gridcolor": "rgba(160,165,175,.22)" if dark else "rgba(60,65,72,.12)",
        "zeroline": False,
        "automargin": True,
        "ticks": "",
        **more,
    }


def power_ticks(low: float, high: float, most: int = 9) -> tuple[list[float], list[str]]:
    """Tick places on a log10 axis, and their texts as powers of ten.

    >>> power_ticks(-3.2, 0.0)
    ([-3.0, -2.0, -1.0, 0.0], ['10<sup>−3</sup>', '10<sup>−2</sup>', '0.1', '1'])
    """
    span = high - low
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if span / s <= most), 1000)
    first = math.ceil(low / step)
    places = [float(k * step) for k in range(first, math.floor(high / step) + 1)]
    names = {0.0: "1", -1.0: "0.1"}
    return places, [names.get(p, f"10<sup>{f'{p:.0f}'.replace('-', MINUS)}</sup>") for p in places]


def log_axis(dark: bool, seen: Iterable[float], **more: Any) -> Figure:
    """A logarithmic axis over these numbers: at 1, 2 and 5 of every decade where they are few,
    at round numbers between them where they are close together.

    >>> log_axis(False, [3.0, 180.0])["ticktext"]
    ['1', '2', '5', '10', '20', '50', '100', '200', '500', '1,000']
    >>> log_axis(False, [2.13, 2.31])["ticktext"]
    ['2.15', '2.2', '2.25', '2.3']
    """
    ends = [math.log10(v) for v in seen if v > 0.0 and math.isfinite(v)] or [0.0, 2.0]
    low, high = math.floor(min(ends)), math.ceil(max(ends))
    if max(ends) - min(ends) < _CLOSE:
        ticks = _round_between(10.0 ** min(ends), 10.0 ** max(ends))
    elif high - low <= _FEW:
        ticks = [m * 10.0**k for k in range(low, high + 1) for m in (1, 2, 5)]
        ticks = ticks[: -2 if high > low else None]
    else:
        ticks = [10.0**p for p in power_ticks(low, high)[0]]
    return axis(dark, type="log", tickvals=ticks, ticktext=[_written(v) for v in ticks], **more)


def _round_between(low: float, high: float) -> list[float]:
    """About four round numbers from low to high; low alone where they are equal."""
    if high <= low:
        return [low]
    rough = (high - low) / 4.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= rough)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _written(value: float) -> str:
    """A number on a logarithmic axis.

    >>> _written(0.05), _written(2000.0), _written(2e-6), _written(1e7)
    ('0.05', '2,000', '2·10<sup>−6</sup>', '10<sup>7</sup>')
    """
    if 1e-3 <= value < 1e5:
        return f"{value:,.10g}"
    power = math.floor(math.log10(value) + 1e-9)
    lead = round(value / 10.0**power)
    text = f"10<sup>{f'{power}'.replace('-', MINUS)}</sup>"
    return text if lead == 1 else f"{lead}·{text}"


def window(values: Sequence[float], anchors: Sequence[float]) -> tuple[float, float]:
    """The range of a log10 P axis: all values, but none far beyond the anchors.

    Ends are whole numbers, so that the axis rests while values move a little.
    """
    finite = [v for v in (*values, *anchors) if math.isfinite(v)]
    if not finite:
        return -8.0, 0.3
    trusted = [v for v in anchors if math.isfinite(v)] or finite
    floor = 2.0 * min(trusted) - 4.0
    low = min(v for v in finite if v >= floor)
    return math.floor(low) - 1.0, 0.3


def line(at: float, tone: str, dash: str = "solid") -> Figure:
    """A vertical line over the whole height."""
    return {
        "type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": tone, "width": 1.6, "dash": dash},
    }  # fmt: skip


def band(x0: float, x1: float, tone: str) -> Figure:
    """A vertical band over the whole height, behind the data."""
    return {
        "type": "rect", "x0": x0, "x1": x1, "y0": 0, "y1": 1, "yref": "paper",
        "fillcolor": tone, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def truth_label(at: float, dark: bool) -> Figure:
    """What names the line of the truth."""
    return {
        "x": at, "y": 1.0, "yref": "paper", "text": "truth", "showarrow": False, "xanchor": "left",
        "yanchor": "top", "xshift": 4, "font": {"color": ink(dark), "size": 12},
    }  # fmt: skip
