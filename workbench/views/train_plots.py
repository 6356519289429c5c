"""Charts of a training: the task, and log10 P under D0 and under the adversary's D."""

import math
from collections.abc import Sequence
from typing import Any

from workbench.experiments import Row
from workbench.views.style import GREY, Figure, axis, ink, layout, log_axis, power_ticks, window
from workbench.views.train_words import UNSURE

ESTIMATE, ADVERSARY, LOSS = "#A05EF7", "#D55E00", "#009E73"
EXPLOITED = "#c0392b"
_FLOOR = -300.0
_DUST = 1e-9


def task(
    rows: Sequence[Row], before: Sequence[Row], measure: str, dark: bool, height: int
) -> Figure:
    """Loss (left axis) and score (right axis) against steps; what was pinned is dotted.

    Args:
        rows: metrics of the run: `steps`, `loss`, `score`.
        before: metrics of the pinned run.
        measure: what the score is called.
    """
    data = []
    for mine, dash, paleness, names in (
        (before, "dot", 0.6, ("loss, pinned", f"{measure}, pinned")),
        (rows, "solid", 1.0, ("loss", measure)),
    ):
        data += [
            line(mine, "loss", names[0], LOSS, dash, paleness),
            {**line(mine, "score", names[1], ink(dark), dash, paleness), "yaxis": "y2"},
        ]
    data = [d for d in data if d["x"]]
    return {
        "data": data,
        "layout": layout(
            dark, height, **legend(),
            xaxis=steps(dark, rows, before),
            yaxis=log_axis(dark, _losses([*rows, *before]) or [1e-3, 1.0],
                           title={"text": "task loss", "font": {"color": LOSS}},
                           **_seen([*rows, *before])),
            yaxis2=axis(dark, title={"text": f"{measure}, held out"}, overlaying="y", side="right",
                        showgrid=False, tickformat=".1%", nticks=5,
                        range=_scores([*rows, *before])),
        ),
    }  # fmt: skip


def _scores(rows: Sequence[Row]) -> list[float]:
    """The ends of an axis of scores: one that never moves is no reason to look beyond 1."""
    seen = [row["score"] for row in rows if math.isfinite(row.get("score", math.nan))]
    if not seen:
        return [0.0, 1.0]
    low, high = min(seen), max(seen)
    pad = max(0.01, 0.15 * (high - low))
    return [low - pad, high + 0.3 * pad]


def danger(
    rows: Sequence[Row], before: Sequence[Row], examples: int, target: float | None, dark: bool,
    height: int,
) -> Figure:  # fmt: skip
    """log10 P against steps: optimised estimates as lines, the referee as points with 95% bars.

    Args:
        rows: metrics: `log10_p` and `referee` under D0, `log10_p_adv` and `referee_adv` under the
            adversary's D, each referee with its `..._low` and `..._high`; `exploited`.
        before: metrics of the pinned run, whose estimate under D0 is dotted.
        examples: N, for the line 1/N; 0 where it is not known yet.
        target: log10 P to reach, or None.
    """
    data = [
        line(before, "log10_p", "estimate, pinned", ESTIMATE, "dot", 0.6),
        line(rows, "log10_p", "estimate under D₀", ESTIMATE, "solid"),
        line(rows, "log10_p_adv", "estimate under the adversary's D", ADVERSARY, "solid"),
        _referee(rows, "referee", "referee under D₀", ink(dark), "circle"),
        _referee(rows, "referee_adv", "referee under the adversary's D", ADVERSARY, "diamond"),
    ]
    data = [d for d in data if d["x"]]
    once = -math.log10(max(examples, 1))
    lines = [(once, "1/N"), (once - 3.0, "1/(1000 N)")] if examples else []
    if target is not None:
        lines.append((target, "target"))
    judged = [v for d in data if "error_y" in d for v in _sure(d)]
    seen = judged + [v for d in data if "error_y" not in d for v in d["y"]]
    low, _ = window(seen, [*judged, *[at for at, _ in lines]])  # what nobody confirms may go off it
    high = 0.45
    look = p_by_steps(
        (low, high), rows, before, dark, height,
        shapes=[*[level(at) for at, _ in lines], *_marks(rows)],
        annotations=[named(at, name, i) for i, (at, name) in enumerate(lines)],
    )  # fmt: skip
    return {"data": data, "layout": look}


def p_by_steps(
    ends: tuple[float, float], rows: Sequence[Row], before: Sequence[Row], dark: bool, height: int,
    **more: Any,
) -> Figure:  # fmt: skip
    """The layout of a figure of P, from 10 to the one of `ends` to the other, by steps."""
    places, names = power_ticks(*ends, most=8)
    powers = axis(
        dark, range=list(ends), tickvals=places, ticktext=names, title={"text": "P"}
    )  # fmt: skip
    return layout(dark, height, **legend(), xaxis=steps(dark, rows, before), yaxis=powers, **more)


def _seen(rows: Sequence[Row]) -> dict[str, Any]:
    """The range of the losses, where some lie so far below the rest that nothing else would show:
    of a network that is to stay as it is, the first is rounding error."""
    losses = _losses(rows)
    if not losses:
        return {"range": [-3.0, 0.5]}
    if min(losses) > _DUST * max(losses):
        return {}
    kept = [v for v in losses if v > _DUST * max(losses)]
    return {"range": [math.log10(min(kept)) - 0.2, math.log10(max(losses)) + 0.2]}


def _losses(rows: Sequence[Row]) -> list[float]:
    return [r["loss"] for r in rows if _finite(r.get("loss")) and r["loss"] > 0.0]


def line(
    rows: Sequence[Row], key: str, name: str, tone: str, dash: str, opacity: float = 1.0
) -> Figure:
    """One metric of a run against its steps."""
    shown = [r for r in rows if _finite(r.get(key))]
    return {
        "type": "scatter", "mode": "lines+markers" if len(shown) == 1 else "lines", "name": name,
        "x": [r["steps"] for r in shown], "y": [r[key] for r in shown], "opacity": opacity,
        "line": {"color": tone, "width": 2, "dash": dash}, "marker": {"color": tone},
        "hovertemplate": f"step %{{x}}: {name} %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def _referee(rows: Sequence[Row], key: str, name: str, tone: str, symbol: str) -> Figure:
    """Points with 95% bars; one that has seen nothing is a triangle at its upper bound."""
    x, y, up, down, marks, said = [], [], [], [], [], []
    for row in rows:
        value, low, high = (row.get(k) for k in (key, f"{key}_low", f"{key}_high"))
        if value is None or math.isnan(value):
            continue
        blind = value == -math.inf
        at = high if blind else value
        if not _finite(at):
            continue
        x.append(row["steps"])
        y.append(at)
        up.append(0.0 if blind or not _finite(high) else max(0.0, high - value))
        down.append(0.0 if blind or not _finite(low) else max(0.0, value - low))
        marks.append("triangle-down-open" if blind else symbol)
        said.append(f"nothing seen, below {at:.2f}" if blind else f"{value:.2f}")
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "text": said,
        "marker": {"color": tone, "size": 8, "symbol": marks, "line": {"width": 1, "color": tone}},
        "error_y": {
            "type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": tone,
            "thickness": 1.4, "width": 3,
        },
        "hovertemplate": f"step %{{x}}: {name}, log10 P %{{text}}<extra></extra>",
    }  # fmt: skip


def _sure(referee: Figure) -> list[float]:
    """Its values, or their upper ends where it is unsure."""
    up = referee["error_y"]["array"]
    return [y + u if u > UNSURE else y for y, u in zip(referee["y"], up, strict=True)]


def _marks(rows: Sequence[Row]) -> list[Figure]:
    """A red line where the referee first caught the estimate."""
    caught = [r["steps"] for r in rows if r.get("exploited")]
    if not caught:
        return []
    return [
        {
            "type": "line", "x0": caught[0], "x1": caught[0], "y0": 0, "y1": 1, "yref": "paper",
            "line": {"color": EXPLOITED, "width": 2, "dash": "dash"},
        }
    ]  # fmt: skip


def steps(dark: bool, *runs: Sequence[Row]) -> Figure:
    """The axis of steps, as long as the longest of the runs."""
    last = max([10, *(r["steps"] for rows in runs for r in rows[-1:])])
    return axis(dark, title={"text": "step"}, range=[-0.02 * last, 1.02 * last])


def legend() -> dict[str, Any]:
    """Of a layout: the names of the lines above the chart."""
    return {
        "showlegend": True,
        "margin": {"l": 8, "r": 12, "t": 34, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11},
                   "bgcolor": "rgba(0,0,0,0)"},
    }  # fmt: skip


def level(at: float) -> Figure:
    """A thin horizontal line."""
    return {
        "type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": at, "y1": at,
        "line": {"color": GREY, "width": 1.2, "dash": "dot"},
    }  # fmt: skip


def named(at: float, name: str, place: int) -> Figure:
    """Names at the left, in the middle and at the right, so that no two can meet however close
    their lines are."""
    x, anchor = ((0.01, "left"), (0.5, "center"), (0.99, "right"))[place]
    return {
        "x": x, "xref": "paper", "y": at, "text": name, "showarrow": False,
        "xanchor": anchor, "yanchor": "bottom", "font": {"size": 11, "color": GREY},
    }  # fmt: skip


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value) and value > _FLOOR
