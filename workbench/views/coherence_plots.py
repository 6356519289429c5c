"""Charts of coherence: the defects of one estimate, and foretold against true errors."""

import math
from collections.abc import Sequence

from workbench.coherence import Defect
from workbench.views.coherence_session import Point
from workbench.views.roster import title
from workbench.views.style import GREY, Figure, axis, colour, ink, layout, symbol

LEAST = 1e-3
"""Digits: a smaller defect is drawn here."""
_MOST = 300.0
_TICKS = [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0]
_NAMES = ["0.001", "0.01", "0.1", "1", "10", "100"]


def bars(defects: Sequence[Defect], key: str, dark: bool = False, height: int = 260) -> Figure:
    """One bar a law, in digits on a logarithmic axis; none where it could not be measured."""
    shown = [d for d in defects if d.digits is not None]
    lengths = [min(_MOST, max(LEAST, d.digits or 0.0)) for d in shown]
    return {
        "data": [
            {
                "type": "bar", "orientation": "h", "x": lengths, "y": [d.name for d in shown],
                "marker": {"color": colour(key)}, "base": 0,
                "customdata": [d.digits for d in shown], "text": [d.law for d in shown],
                "textposition": "none",
                "hovertemplate": "%{text}<br>off by %{customdata:.3g} digits<extra></extra>",
            }
        ],
        "layout": layout(
            dark, height,
            xaxis=axis(
                dark, type="log", range=[math.log10(LEAST), math.log10(_MOST)], tickvals=_TICKS,
                ticktext=_NAMES, title={"text": "off by, digits of P"},
            ),
            yaxis=axis(dark, autorange="reversed", type="category",
                       categoryarray=[d.name for d in defects], categoryorder="array",
                       range=[len(defects) - 0.5, -0.5]),
        ),
    }  # fmt: skip


def foretold(points: Sequence[Point], dark: bool = False, height: int = 360) -> Figure:
    """|true error| against the digits that the heat flow foretells; on the line it is right.

    Filled where the correction also has the right sign.
    """
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "lines", "x": [LEAST, _MOST], "y": [LEAST, _MOST],
            "line": {"color": GREY, "width": 1, "dash": "dot"}, "hoverinfo": "skip",
            "showlegend": False,
        }
    ]  # fmt: skip
    for key in dict.fromkeys(p.key for p in points):
        mine = [p for p in points if p.key == key]
        right = [p.heat.correction() * (p.error or 0.0) <= 0 for p in mine]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": title(key),
                "x": [_inside(p.heat.digits) for p in mine],
                "y": [_inside(abs(p.error or 0.0)) for p in mine],
                "text": [p.problem for p in mine],
                "marker": {
                    "size": 10, "symbol": symbol(key), "color": colour(key),
                    "opacity": [0.95 if r else 0.35 for r in right],
                    "line": {"width": 1, "color": ink(dark)},
                },
                "hovertemplate": "%{text}<br>predicted %{x:.2g}, true %{y:.2g} digits"
                "<extra>%{fullData.name}</extra>",
            }
        )  # fmt: skip
    ends = [math.log10(LEAST), math.log10(_MOST)]
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=len(data) > 2,
            legend={"x": 0.02, "y": 0.98, "bgcolor": "rgba(0,0,0,0)"},
            xaxis=axis(dark, type="log", range=ends, tickvals=_TICKS, ticktext=_NAMES,
                       title={"text": "error predicted by the defect, digits"}),
            yaxis=axis(dark, type="log", range=ends, tickvals=_TICKS, ticktext=_NAMES,
                       title={"text": "true error, digits"}),
        ),
    }  # fmt: skip


def _inside(value: float) -> float:
    return min(_MOST, max(LEAST, value))
