"""The chart of what a nat is worth along the tilt."""

import math

from workbench.adversaries import Prices
from workbench.math.logspace import LN10
from workbench.problem import Truth
from workbench.views.adversary_plots import MOST, most_gain
from workbench.views.style import GREY, Figure, axis, colour, ink, layout, symbol

_BY = "importance"  # whose accent marks what was sampled
_SURE = 1.0  # digits: what is known no better than this is not drawn


def worth(
    prices: Prices | None, truth: Truth | None, nats: float, dark: bool = False, height: int = 260
) -> Figure:
    """Digits of P gained for each nat spent, with 95% bars, and the most that any D could gain."""
    start = reference(prices, truth)
    x, y, bars = [], [], []
    if prices is not None and math.isfinite(start):
        for n, log_p, err in zip(prices.nats, prices.log_p, prices.log_err, strict=True):
            if n > 0.0 and err / LN10 < _SURE:
                x.append(n)
                y.append((log_p / LN10 - start) / n)
                bars.append(1.96 * err / LN10 / n)
    tone = colour(_BY)
    most_x, most_y = bound(start)
    data = [
        {
            "type": "scatter", "mode": "lines", "name": MOST, "x": most_x,
            "y": most_y, "line": {"color": GREY, "width": 2, "dash": "dot"},
        },
        {
            "type": "scatter", "mode": "lines+markers", "name": "D tilted", "x": x, "y": y,
            "line": {"color": tone, "width": 2}, "marker": {"size": 8, "symbol": symbol(_BY)},
            "error_y": {"type": "data", "array": bars, "color": tone, "thickness": 1.4},
        },
    ]  # fmt: skip
    for trace in data:
        trace["hovertemplate"] = "%{x:.3g} nats: %{y:.2f} digits per nat<extra></extra>"
    here = {
        "type": "line", "x0": nats, "x1": nats, "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": ink(dark), "width": 1, "dash": "dash"},
    }  # fmt: skip
    top = max([0.5, *y])
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, shapes=[here],
            legend={"x": 0.98, "y": 0.98, "xanchor": "right", "yanchor": "top",
                    "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
            xaxis=axis(dark, title={"text": "nats spent: KL(q ‖ D)"}, range=[0, 17]),
            yaxis=axis(dark, title={"text": "digits per nat"}, range=[0, 1.5 * top]),
        ),
    }  # fmt: skip


def reference(prices: Prices | None, truth: Truth | None) -> float:
    """log10 P under D: the truth where it is known, else as the tilts' own draws have it."""
    if truth is not None:
        return truth.log10_p
    return -math.inf if prices is None else prices.at(0.0)[0] / LN10


def bound(log10_p: float) -> tuple[list[float], list[float]]:
    """(nats, digits a nat) that no D can pass, from log10 P under the reference."""
    x, y = most_gain(log10_p * LN10)
    pairs = [(n, (v - y[0]) / n) for n, v in zip(x, y, strict=True) if n > 0.0]
    return [n for n, _ in pairs], [g for _, g in pairs]
