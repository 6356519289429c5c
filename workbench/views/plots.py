"""Data in, figure out: plotly figures as plain dicts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from workbench.html import MINUS
from workbench.types import Kind
from workbench.views.margins import Picture
from workbench.views.roster import key_of, title
from workbench.views.rows import Row
from workbench.views.style import (
    BOUND,
    CATASTROPHE,
    GREY,
    Figure,
    axis,
    band,
    colour,
    ink,
    layout,
    line,
    power_ticks,
    symbol,
    truth_label,
    window,
)

_ROW, _MARGINS = 21, 40  # pixels of an estimate, and above and below all of them


def estimates(
    rows: Sequence[Row], truth: tuple[float, float] | None, dark: bool = False, height: int = 210
) -> Figure:
    """Every estimate as a marker with its interval on a log10 P axis, the truth as a line.

    Args:
        rows: in the order of the table.
        truth: log10 P and its standard error, where known.
        height: pixels at least; more where there are many rows.

    What lies off the axis is a triangle at its left end with the number beside it; a sampler that
    has seen nothing is an arrow that points down from its upper bound.
    """
    shown = [r for r in rows if r.log10_p is not None and r.state not in ("unsupported", "error")]
    values = [r.log10_p for r in shown if r.log10_p is not None]
    values += [r.upper_only for r in shown if r.upper_only is not None]
    # The axis goes by what can be trusted most: the truth, else sampling, else the closed form.
    anchors = [truth[0]] if truth else []
    anchors += [
        r.log10_p for r in shown if r.log10_p is not None and r.err is not None and r.err < 0.5
    ]
    if not anchors:
        anchors = [r.log10_p for r in shown if r.key == "moments" and r.log10_p is not None]
    low, high = window(values, anchors)
    traces = [_marker(row, low) for row in shown]
    places, names = power_ticks(low, high)
    names_of_rows = [r.title for r in shown]
    height = max(height, _MARGINS + _ROW * len(shown))
    shapes = _excluded(shown, low, high)
    if truth is not None:
        at, error = truth
        shapes += [
            band(at - 2 * error, at + 2 * error, "rgba(128,128,128,.3)"),
            line(at, ink(dark)),
        ]
    return {
        "data": traces,
        "layout": layout(
            dark, height,
            xaxis=axis(dark, range=[low, high], tickvals=places, ticktext=names, side="bottom"),
            yaxis=axis(
                dark, type="category", categoryorder="array", categoryarray=names_of_rows,
                range=[len(shown) - 0.5, -0.7], tickvals=names_of_rows,
            ),
            shapes=shapes,
            annotations=[truth_label(truth[0], dark)] if truth else [],
        ),
    }  # fmt: skip


def _excluded(rows: Sequence[Row], low: float, high: float) -> list[Figure]:
    """Grey bands over what the proved bounds leave no room for."""
    below = [r.log10_p for r in rows if r.kind is Kind.LOWER and r.log10_p is not None]
    above = [r.log10_p for r in rows if r.kind is Kind.UPPER and r.log10_p is not None]
    bands = []
    if below and max(below) > low:
        bands.append(band(low, max(below), BOUND))
    if above and min(above) < high:
        bands.append(band(max(low, min(above)), high, BOUND))
    return bands


def _marker(row: Row, low: float) -> Figure:
    accent = colour(row.key)
    pale = 0.35 if row.state == "stale" else 1.0
    base: Figure = {
        "type": "scatter", "y": [row.title], "opacity": pale, "mode": "markers+text",
        "textposition": "middle right", "textfont": {"color": accent},
    }  # fmt: skip
    assert row.log10_p is not None
    if row.upper_only is not None:
        return {
            **base, "x": [row.upper_only, row.upper_only - 0.7], "y": [row.title] * 2,
            "mode": "lines+markers", "line": {"color": accent, "width": 2},
            "marker": {
                "color": accent, "size": [2, 13], "symbol": ["line-ns", "triangle-left"],
                "line": {"width": 0, "color": accent},
            },
            "hovertemplate": f"{row.title}: nothing seen, P below this bound (95%)<extra></extra>",
        }  # fmt: skip
    if row.log10_p < low or not math.isfinite(row.log10_p):
        number = "0" if row.log10_p == -math.inf else f"{row.log10_p:.0f}".replace("-", MINUS)
        text = " 0" if number == "0" else f" 10<sup>{number}</sup>"
        return {
            **base, "x": [low + 0.012 * -low], "text": ["" if row.note else text],
            "marker": {"color": accent, "size": 11, "symbol": "triangle-left-open"},
            "hovertemplate": f"{row.title}: off the axis<extra></extra>",
        }  # fmt: skip
    marker = {"color": accent, "size": 11, "symbol": symbol(row.key)}
    marker["line"] = {"width": 2, "color": accent}
    figure: Figure = {
        **base, "x": [row.log10_p], "mode": "markers", "marker": marker,
        "hovertemplate": f"{row.title}: log10 P = %{{x:.3f}}<extra></extra>",
    }  # fmt: skip
    if row.interval is not None:
        below, above = row.interval
        figure["error_x"] = {
            "type": "data", "symmetric": False, "color": accent, "thickness": 2, "width": 5,
            "array": [max(0.0, above - row.log10_p)],
            "arrayminus": [max(0.0, row.log10_p - max(below, low))],
        }  # fmt: skip
    return figure


def margin(picture: Picture, dark: bool = False, height: int = 250) -> Figure:
    """Sampled margins as bars of a density on a log axis, the propagated law as a line."""
    bars, grid, log_density = picture.bars, picture.grid, picture.log_density
    data: list[Figure] = []
    lows, tops = [], []
    seen = bars.density > 0
    if bool(seen.any()):
        log10 = torch.log10(bars.density[seen])
        tops.append(float(log10.max()))
        lows.append(float(log10.min()))
        data.append(
            {
                "type": "bar",
                "x": bars.centres[seen].tolist(),
                "y": bars.density[seen].tolist(),
                "width": bars.width,
                "name": "sampled",
                "marker": {"color": colour("monte_carlo"), "opacity": 0.45, "line": {"width": 0}},
                "hovertemplate": "margin %{x:.3g}<br>sampled density %{y:.2g}<extra></extra>",
            }
        )
    if log_density is not None:
        law = log_density / math.log(10.0)
        tops.append(float(law.max()))
        crossing = law[grid >= 0]
        if len(crossing):
            lows.append(float(crossing[0]) - 1.0)
        keep = torch.isfinite(law) & (law > -300.0)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": grid[keep].tolist(),
                "y": (10.0 ** law[keep]).tolist(),
                "name": "propagated",
                "line": {"color": colour("moments"), "width": 2.4},
                "hovertemplate": "margin %{x:.3g}<br>propagated density %{y:.2g}<extra></extra>",
            }
        )
    low = max(min(lows, default=-6.0), max(tops, default=0.0) - 16.0)
    high = max(tops, default=0.0) + 0.4
    places, names = power_ticks(math.floor(low), high, most=6)
    left, right = (float(grid[0]), float(grid[-1])) if len(grid) else (-1.0, 1.0)
    return {
        "data": data,
        "layout": layout(
            dark, height, barmode="overlay", bargap=0,
            xaxis=axis(dark, range=[left, right], title={"text": "margin s"}),
            yaxis=axis(
                dark, type="log", range=[math.floor(low), high], tickvals=[10.0**p for p in places],
                ticktext=names, title={"text": "density"},
            ),
            shapes=[band(0.0, max(right, 0.0), CATASTROPHE), line(0.0, GREY, "dot")],
            annotations=[_side_label()],
        ),
    }  # fmt: skip


def _side_label() -> Figure:
    return {
        "x": 0.0, "y": 1.0, "yref": "paper", "text": "catastrophe: s > 0 →", "showarrow": False,
        "xanchor": "right", "yanchor": "top", "xshift": -6, "font": {"color": "#D55E00"},
    }  # fmt: skip


def comparison(
    rows: Sequence[Mapping[str, Any]], truth: Mapping[str, Any] | None, dark: bool = False
) -> Figure:
    """Estimates of one problem side by side, one marker a run, with 95% bars.

    Args:
        rows: with keys estimator, log10_p, and where known settings, log10_err, log10_interval,
            forwards, seconds; infinities may be the strings "-inf" and "inf". A row without
            log10_p keeps its line empty.
        truth: log10_p and se_log10, or None.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    finite = [v for r in rows if math.isfinite(v := _number(r.get("log10_p")))]
    finite += [b[1] for r in rows if (b := _interval(r)) and math.isfinite(b[1])]
    at = None if truth is None else _number(truth["log10_p"])
    low, high = window(finite, [] if at is None else [at])
    places, ticks = power_ticks(low, high)
    titles = [title(key) for key in groups]
    return {
        "data": [_group(key, mine, low) for key, mine in groups.items()],
        "layout": layout(
            dark, 120 + 44 * len(groups),
            margin={"l": 8, "r": 16, "t": 28, "b": 8},
            xaxis=axis(
                dark, range=[low, high], tickvals=places, ticktext=ticks, title={"text": "P"}
            ),
            yaxis=axis(
                dark, type="category", categoryorder="array", categoryarray=titles,
                range=[len(groups) - 0.5, -0.7], tickvals=titles,
            ),
            shapes=[] if at is None else [line(at, ink(dark))],
            annotations=[] if at is None else [truth_label(at, dark)],
        ),
    }  # fmt: skip


def _group(key: str, mine: Sequence[Mapping[str, Any]], low: float) -> Figure:
    """The runs of one estimator; a run that has seen nothing stands at its upper bound."""
    x, text, symbols, above, below = [], [], [], [], []
    for row in mine:
        value, interval = _number(row.get("log10_p")), _interval(row)
        if math.isnan(value):
            continue
        blind = value == -math.inf and interval is not None and interval[1] < 0.0
        off = not blind and value < low
        x.append(interval[1] if blind and interval else low + 0.1 if off else value)
        symbols.append("triangle-left" if blind else "triangle-left-open" if off else symbol(key))
        ends = (x[-1], x[-1]) if blind or off or interval is None else interval
        above.append(max(0.0, ends[1] - x[-1]))
        below.append(max(0.0, x[-1] - max(ends[0], low)))
        said = f"nothing seen, below {x[-1]:.3g}" if blind else f"log10 P = {value:.4g}"
        text.append(
            f"{title(key)}: {said}<br>{_number(row.get('forwards')):,.0f} forwards, "
            f"{_number(row.get('seconds')):.3g} s"
        )
    return {
        "type": "scatter", "mode": "markers", "name": title(key),
        "x": x, "y": [title(key)] * len(x), "text": text,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": colour(key), "size": 11, "symbol": symbols,
            "line": {"width": 2, "color": colour(key)},
        },
        "error_x": {
            "type": "data", "symmetric": False, "array": above, "arrayminus": below,
            "color": colour(key), "width": 5,
        },
    }  # fmt: skip


def _key(row: Mapping[str, Any]) -> str:
    """The row of the Explore table that a run belongs to, so that it keeps its colour."""
    return key_of(str(row["estimator"]), row.get("settings") or {})


def _interval(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """95% in log10, as given or from the standard error."""
    given = row.get("log10_interval")
    if given is not None:
        return _number(given[0]), _number(given[1])
    value, error = _number(row.get("log10_p")), _number(row.get("log10_err"))
    return (value - 1.96 * error, value + 1.96 * error) if math.isfinite(error) else None


def _number(value: Any) -> float:
    """A number out of JSON, where infinities are strings; NaN where there is none."""
    return math.nan if value is None else float(value)
