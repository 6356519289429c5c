"""Figures, cards and sentences of the panel "Inside the network"."""

import math
from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from workbench.html import MINUS, power, prose
from workbench.numbers import several
from workbench.views import pictures
from workbench.views.inside import Look, Summit
from workbench.views.ribbon import Layer
from workbench.views.style import (
    Figure,
    axis,
    colour,
    ink,
    layout,
    log_axis,
)

_LOW, _MIDDLE, _HIGH = "#0072B2", {False: "#f1f1ef", True: "#33383f"}, "#D55E00"
_SUMMITS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_BARS = 400
_STRIP = 160
_SHARES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
_SAID = ("10<sup>−6</sup>", "10<sup>−5</sup>", "0.01%", "0.1%", "1%", "10%", "100%")
_CEILING = 0.5
_PALE = 8.0  # standard errors at full colour, at least: noise alone stays pale
_BY_CHANCE = 5.0  # standard errors that one of 10,000 neurons passes with chance 0.006


def ribbon(layers: Sequence[Layer], dark: bool = False) -> Figure:
    """A row a layer, a cell a neuron: the error of its mean on the left, of its spread right.

    In units of the layer's typical standard deviation, blue where propagation is too low, orange
    where too high. A neuron that never moved has no cell.
    """
    names = [layer.name for layer in layers]
    means = [layer.mean_error for layer in layers]
    stds = [layer.std_error for layer in layers]
    most = max(_largest(means), _largest(stds), _PALE * layers[0].noise)
    scale = min(_CEILING, float(f"{most:.1g}"))
    told = [_told(layer) for layer in layers]
    width = max(len(row) for row in means)
    traces = []
    for k, rows in enumerate((means, stds)):
        traces.append(
            {
                "type": "heatmap",
                "z": [_padded(row, width) for row in rows],
                "y": names,
                "text": [[*row, *[""] * (width - len(row))] for row in told],
                "hovertemplate": "%{text}<extra></extra>",
                "hoverongaps": False,
                "zmin": -scale,
                "zmax": scale,
                "colorscale": [[0, _LOW], [0.5, _MIDDLE[dark]], [1, _HIGH]],
                "xaxis": f"x{k + 1 if k else ''}",
                "yaxis": f"y{k + 1 if k else ''}",
                "ygap": 3,
                "showscale": k == 1,
                "colorbar": {
                    "thickness": 10, "outlinewidth": 0, "tickformat": "+.0%", "nticks": 5,
                },
            }
        )  # fmt: skip
    across = {"title": {"text": "neuron"}, "range": [-0.5, width - 0.5], "showgrid": False}
    down = {"type": "category", "autorange": "reversed", "showgrid": False}
    return {
        "data": traces,
        "layout": layout(
            dark, 96 + 24 * len(layers),
            margin={"l": 8, "r": 8, "t": 26, "b": 8},
            xaxis=axis(dark, domain=[0.0, 0.48], **across),
            xaxis2=axis(dark, domain=[0.52, 1.0], **across),
            yaxis=axis(dark, **down),
            yaxis2=axis(dark, **{**down, "anchor": "x2", "showticklabels": False}),
            annotations=[
                {"text": text, "x": x, "xref": "paper", "y": 1.0, "yref": "paper",
                 "xanchor": "left", "yanchor": "bottom", "showarrow": False, "yshift": 3}
                for text, x in (("error of the mean", 0.0), ("error of the spread", 0.52))
            ],
        ),
    }  # fmt: skip


def _largest(rows: Sequence[Tensor]) -> float:
    return max(float(row.nan_to_num().abs().max()) for row in rows)


def _padded(row: Tensor, width: int) -> list[float | None]:
    cells = [None if math.isnan(v) else v for v in row.tolist()]
    return [*cells, *[None] * (width - len(cells))]


def _told(layer: Layer) -> list[str]:
    columns = (layer.predicted_mean, layer.seen_mean, layer.predicted_std, layer.seen_std)
    return [
        f"<b>{escape(layer.name)}, neuron {i}</b><br>mean: predicted {a:.4g}, seen {b:.4g}"
        f"<br>standard deviation: predicted {c:.4g}, seen {d:.4g}".replace("-", MINUS)
        for i, (a, b, c, d) in enumerate(zip(*(c.tolist() for c in columns), strict=True))
    ]


def ribbon_words(layers: Sequence[Layer]) -> str:
    """The worst layer of the ribbon, and how much of it is the noise of sampling."""
    worst = max(layers, key=lambda layer: float(layer.std_error.nan_to_num().abs().max()))
    off, last = float(worst.std_error.nan_to_num().abs().max()), layers[-1]
    noise = layers[0].noise
    said = (
        "Each cell is a neuron; hover over it for both values. Blue: propagation is too low, "
        "orange: too high, in units of the layer's typical standard deviation. "
    )
    if off < _BY_CHANCE * noise:
        said += (
            f"No spread is off by more than {off:.1%}, which is what {layers[0].draws:,} draws may "
            "be off by chance: in the bulk, propagation is right here."
        )
    else:
        said += (
            f"The largest error of a spread is <b>{off:.1%}</b>, in {escape(worst.name)}; at the "
            f"output it is {float(last.std_error.nan_to_num().abs().max()):.1%}. "
            f"{layers[0].draws:,} draws determine a mean to {noise:.1%}."
        )
    still = sum(int((~layer.moved).sum()) for layer in layers)
    if still:
        said += (
            f" {several(still, 'neuron')} kept one value in all draws (no cell): sampling "
            "says nothing about them."
        )
    return said


def cards(look: Look, digits: bool) -> str:
    """Every summit: what happens there, its part of P, and its pictures, as HTML."""
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:14px 26px'>"
        + "".join(_card(s, k, digits) for k, s in enumerate(look.summits))
        + "</div>"
    )


def _card(s: Summit, k: int, digits: bool) -> str:
    tone = _SUMMITS[k % len(_SUMMITS)]
    head = (
        f"<div style='font-size:13px;margin-bottom:4px'><b style='color:{tone}'>■</b> "
        f"<b>{escape(s.name)}</b>: {percent(s.part)} of P "
        f"<span class='small'>· {s.norm:.2f} standard deviations away · {s.lines:,} lines</span>"
        "</div>"
    )
    if not digits:
        return f"<div class='wb-summit'>{head}{strip(s.direction)}</div>"
    shown = (
        (pictures.image(s.mean, 84), "mean of D"),
        (pictures.signed(s.direction, 84), "direction"),
        (pictures.image(s.point, 84), "where it fails"),
    )
    cells = "".join(
        f"<figure style='margin:0;text-align:center'>{svg}<figcaption class='small'>{caption}"
        "</figcaption></figure>"
        for svg, caption in shown
    )
    return f"<div class='wb-summit'>{head}<div style='display:flex;gap:10px'>{cells}</div></div>"


def strip(direction: Tensor, height: int = 54) -> str:
    """A direction as bars up (orange) and down (blue), one a coordinate of x, as SVG."""
    shown = direction[:_STRIP].tolist()
    step, half = max(2.0, 320.0 / len(shown)), height / 2
    bars = "".join(
        f"<rect x='{i * step:.2f}' y='{half - max(v, 0) * half:.2f}' width='{0.8 * step:.2f}' "
        f"height='{abs(v) * half:.2f}' fill='{_HIGH if v > 0 else _LOW}'/>"
        for i, v in enumerate(shown)
    )
    more = f" (the first {_STRIP} of {len(direction)})" if len(direction) > _STRIP else ""
    return (
        f"<svg width='{step * len(shown):.0f}' height='{height}' role='img'>{bars}"
        f"<line x1='0' x2='100%' y1='{half}' y2='{half}' stroke='currentColor' opacity='.3'/></svg>"
        f"<div class='small'>direction, by coordinate of x{more}</div>"
    )


def percent(share: float) -> str:
    """A share without more digits than it deserves.

    >>> percent(0.9313), percent(0.0687), percent(1.0)
    ('93%', '6.9%', '100%')
    """
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2g}" if share < 1e-4 else f"{share:.1%}"


def shares(look: Look, dark: bool = False, height: int = 230) -> Figure:
    """The lines in the order of their share of P, coloured by summit, on a log axis."""
    n = min(_BARS, len(look.shares))
    kept = look.shares[:n].clamp(min=1e-12)
    tone = [_SUMMITS[int(k) % len(_SUMMITS)] for k in look.owners[:n]]
    return {
        "data": [
            {
                "type": "bar", "x": list(range(1, n + 1)), "y": kept.tolist(),
                "marker": {"color": tone, "line": {"width": 0}},
                "text": [look.summits[int(k)].name for k in look.owners[:n]],
                "textposition": "none",
                "hovertemplate": "line %{x}, %{text}<br>%{y:.2%} of P<extra></extra>",
            }
        ],
        "layout": layout(
            dark, height, bargap=0,
            xaxis=axis(dark, title={"text": "lines, the heaviest first"}),
            yaxis=axis(
                dark, type="log", tickvals=_SHARES, ticktext=_SAID,
                title={"text": "share of P"},
                range=[max(-7.0, float(torch.log10(kept.min()))) - 0.1,
                       float(torch.log10(kept.max())) + 0.2],
            ),
        ),
    }  # fmt: skip


def shares_words(look: Look) -> str:
    """Whether few lines carry the answer."""
    n = len(look.shares)
    said = (
        f"The heaviest tenth of {n:,} lines carries <b>{look.few:.0%}</b> of P, and the answer "
        f"has an effective sample size of {look.effective:,.0f} lines."
    )
    return said + (" Few lines carry it." if look.effective < 0.1 * n else "")


def settling(
    look: Look, truth: tuple[float, float] | None, dark: bool = False, height: int = 230
) -> Figure:
    """The answer against the number of lines with its own standard error, and the truth."""
    x, y, tone = look.counts.tolist(), look.log10_p, colour("conditioned")
    finite = torch.isfinite(y)
    y = torch.where(finite, y, math.nan)
    upper, lower = (y + look.digits).tolist(), (y - look.digits).tolist()
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "lines", "x": [*x, *x[::-1]], "y": [*upper, *lower[::-1]],
            "fill": "toself", "line": {"width": 0}, "fillcolor": "rgba(128,128,128,.18)",
            "hoverinfo": "skip",
        },
        {
            "type": "scatter", "mode": "lines", "x": x, "y": y.tolist(),
            "line": {"color": tone, "width": 2.4},
            "hovertemplate": "%{x:,} lines: log10 P = %{y:.3f}<extra></extra>",
        },
    ]  # fmt: skip
    shapes = []
    if truth is not None:
        shapes.append(
            {
                "type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": truth[0], "y1": truth[0],
                "line": {"color": ink(dark), "width": 1.6},
            }
        )  # fmt: skip
        data.append(
            {
                "type": "scatter", "mode": "text", "x": [x[0]], "y": [truth[0]], "text": ["truth"],
                "textposition": "top right", "textfont": {"color": ink(dark)}, "hoverinfo": "skip",
            }
        )  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            dark, height, shapes=shapes,
            xaxis=log_axis(dark, x, title={"text": "lines"}),
            yaxis=axis(dark, title={"text": "log<sub>10</sub> P"}, nticks=6),
        ),
    }  # fmt: skip


def settling_words(look: Look, truth: tuple[float, float] | None) -> str:
    """What the lines say in all, at what cost, and how far from the truth."""
    e, spread = look.estimate, float(look.digits[-1])
    said = (
        f"{len(look.shares):,} lines give <b>{power(e.log10_p)}</b> at {e.cost.forwards:,} "
        f"forward passes, the search included; judging by their spread, within about "
        f"{max(spread, 0.001):.1g} digits"
    )
    if truth is not None and math.isfinite(e.log10_p):
        said += f". The truth is {power(truth[0])}: {abs(e.log10_p - truth[0]):.2f} digits away"
    return said + (f". {prose(e.warning[0].upper() + e.warning[1:])}." if e.warning else ".")
