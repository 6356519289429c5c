"""Figures of anomalies: how a score tells kinds of inputs apart, what an explanation accounts for.

Data in, plotly figures as dicts out.
"""

from collections.abc import Mapping

from torch import Tensor

from workbench.anomaly import Account, Explanation
from workbench.views.style import Figure, axis, ink, layout

TONES = {"normal": "#0072B2", "unusual": "#E69F00", "anomalous": "#D55E00"}
"""Colours of the kinds of inputs, safe for the colour-blind."""
SYMBOLS = {"normal": "circle", "unusual": "x-thin-open", "anomalous": "diamond"}
_LEAST = 0.01  # standard deviations: a narrower bar tells nothing
_LEGEND = {"orientation": "h", "y": 1.12, "x": 0}


def scores(by_kind: Mapping[str, Tensor], dark: bool = False, height: int = 300) -> Figure:
    """Histograms of a score, a kind of inputs each: {kind: scores `(m,)`}."""
    low = min(0.0, *(float(s.min()) for s in by_kind.values()))
    high = max(float(s.max()) for s in by_kind.values())
    size = max((high - low) / 20, _LEAST)
    bins = {"start": low, "end": high + 2 * size, "size": size}  # the last bin is whole
    data = [
        {
            "type": "histogram", "name": kind, "x": s.tolist(), "xbins": bins,
            "histnorm": "percent", "marker": {"color": TONES[kind]},
        }
        for kind, s in by_kind.items()
    ]  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            dark, height, barmode="group", showlegend=True, legend=_LEGEND,
            xaxis=axis(dark, title={"text": "unexplained part of the margin, standard deviations"}),
            yaxis=axis(dark, title={"text": "% of inputs of a kind"}),
        ),
    }  # fmt: skip


def accounts(by_kind: Mapping[str, Account], dark: bool = False, height: int = 340) -> Figure:
    """The first margin as seen against as explained; on the line nothing is left."""
    data: list[Figure] = []
    ends: list[float] = []
    for kind, account in by_kind.items():
        told, seen = account.explained[:, 0].tolist(), account.seen[:, 0].tolist()
        ends += [min(told + seen), max(told + seen)]
        data.append({
            "type": "scatter", "mode": "markers", "name": kind, "x": told, "y": seen,
            "marker": {"color": TONES[kind], "symbol": SYMBOLS[kind], "size": 6, "opacity": 0.7},
        })  # fmt: skip
    span = [min(ends), max(ends)]
    line = {
        "type": "scatter", "mode": "lines", "name": "all explained", "x": span, "y": span,
        "line": {"color": ink(dark), "width": 1, "dash": "dot"}, "hoverinfo": "skip",
    }  # fmt: skip
    return {
        "data": [*data, line],
        "layout": layout(
            dark, height, showlegend=True, legend=_LEGEND,
            xaxis=axis(dark, title={"text": "margin explained by the terms"}),
            yaxis=axis(dark, title={"text": "observed margin"}),
        ),
    }  # fmt: skip


def terms(found: Explanation, dark: bool = False, height: int = 260) -> Figure:
    """Share of the behaviour's variance that the first k terms account for."""
    shares = found.shares.tolist()
    return {
        "data": [{
            "type": "scatter", "mode": "lines+markers", "x": list(range(len(shares))), "y": shares,
            "line": {"color": TONES["normal"], "width": 2}, "name": "explained",
        }],
        "layout": layout(
            dark, height, xaxis=axis(dark, title={"text": "number of terms"}, dtick=1),
            yaxis=axis(dark, title={"text": "share of variance explained"}, range=[-0.05, 1.05]),
        ),
    }  # fmt: skip
