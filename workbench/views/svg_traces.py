"""Traces of a still picture: lines with their marks and bars of error, and keys of a legend."""

import math

from workbench.errors import Unsupported
from workbench.views.style import GREY, Figure
from workbench.views.svg_axes import Axis
from workbench.views.svg_bars import Bars
from workbench.views.svg_columns import columns, each, ends, tone_of, values
from workbench.views.svg_fields import contour, css, heatmap, level, palette
from workbench.views.svg_marks import DASHES, Point, mark, number, path, width, words


def drawn(trace: Figure, x: Axis, y: Axis, fallback: str, bars: Bars, before: Figure) -> str:
    """One trace.

    Args:
        fallback: its colour where it has none of its own.
        bars: how those of the figure share their places.
        before: the trace before it, for `fill="tonexty"`; empty for the first.

    Raises:
        Unsupported: where it is of a kind that no screen draws.
    """
    ink = tone_of(trace, fallback)
    match trace["type"]:
        case "scatter":
            made = _scatter(trace, x, y, ink, before)
        case "bar" | "histogram":
            made = bars.drawn(trace, x, y, ink)
        case "heatmap":
            made = heatmap(trace, x, y)
        case "contour":
            made = contour(trace, x, y, ink)
        case other:
            raise Unsupported(
                f"a still picture of a trace of type {other!r}",
                "scatter, bar, histogram, heatmap and contour can be drawn",
            )
    pale = trace.get("opacity", 1.0)
    return made if pale == 1.0 else f"<g opacity='{pale:g}'>{made}</g>"


def _points(trace: Figure, x: Axis, y: Axis) -> list[Point | None]:
    across, up = columns({k: v for k, v in trace.items() if k not in ("error_x", "error_y")})
    made = ((x.at(a), y.at(b)) for a, b in zip(across, up, strict=False))
    return [p if math.isfinite(p[0]) and math.isfinite(p[1]) else None for p in made]


def _scatter(trace: Figure, x: Axis, y: Axis, tone: str, before: Figure) -> str:
    points = _points(trace, x, y)
    mode = trace.get("mode") or ("lines+markers" if len(points) < 20 else "lines")
    parts = [_filled(trace, points, x, y, tone, before)]
    stroke = trace.get("line", {})
    thick = float(stroke.get("width", 2))
    if "lines" in mode and thick:
        dash = DASHES.get(stroke.get("dash", "solid"))
        parts.append(
            f"<path d='{path(points, stroke.get('shape', 'linear'))}' fill='none' stroke='{tone}' "
            f"stroke-width='{thick:g}' stroke-linejoin='round'"
            + (f" stroke-dasharray='{dash}'/>" if dash else "/>")
        )
    parts += [_error(trace, axis, points, x, y) for axis in ("error_x", "error_y") if axis in trace]
    if "markers" in mode:
        parts += _marks(trace, points, tone)
    if "text" in mode:
        parts += _told(trace, points, tone)
    return "".join(parts)


def _filled(
    trace: Figure, points: list[Point | None], x: Axis, y: Axis, tone: str, before: Figure
) -> str:
    fill = trace.get("fill", "none")
    outline = [p for p in points if p is not None]
    if fill == "none" or not outline:
        return ""
    if fill == "tonexty" and before:
        outline += [p for p in reversed(_points(before, x, y)) if p is not None]
    elif fill in ("tozeroy", "tonexty"):
        foot = y.at(0.0) if y.kind != "log" else y.start
        outline = [(outline[0][0], foot), *outline, (outline[-1][0], foot)]
    shade = trace.get("fillcolor")
    ink = f"fill='{shade}'" if shade else f"fill='{tone}' fill-opacity='.3'"
    return f"<path d='{path(outline, closed=True)}' {ink}/>"


def _error(trace: Figure, name: str, points: list[Point | None], x: Axis, y: Axis) -> str:
    error, flat = trace[name], name == "error_x"
    along = x if flat else y
    ink = error.get("color") or tone_of(trace, GREY)
    made, half = "", float(error.get("width", 4))
    reach = ends(error, values(trace["x" if flat else "y"]))
    for point, (low, high) in zip(points, reach, strict=False):
        a, b = along.at(low), along.at(high)
        if point is None or not math.isfinite(b):
            continue
        a = a if math.isfinite(a) else along.start
        px, py = point
        bar = [(a, py), (b, py)] if flat else [(px, a), (px, b)]
        caps = [
            [(e[0] - (0 if flat else half), e[1] - (half if flat else 0)),
             (e[0] + (0 if flat else half), e[1] + (half if flat else 0))]
            for e in bar
        ] if half else []  # fmt: skip
        made += "".join(path(p) for p in [bar, *caps])
    thick = float(error.get("thickness", 2))
    return f"<path d='{made}' fill='none' stroke='{ink}' stroke-width='{thick:g}'/>"


def _marks(trace: Figure, points: list[Point | None], tone: str) -> list[str]:
    style, n = trace.get("marker", {}), len(points)
    shades = each(style.get("color"), n, tone)
    if any(isinstance(v, int | float) for v in shades):
        scale = palette(style.get("colorscale"))
        reach = [float(v) for v in shades if isinstance(v, int | float)]
        low, high = style.get("cmin", min(reach)), style.get("cmax", max(reach))
        shades = [
            css(scale[level(v, low, high)]) if isinstance(v, int | float) else tone for v in shades
        ]
    rim = style.get("line", {})
    rims = each(rim.get("color"), n, tone)
    pale = style.get("opacity", 1.0)
    made = [
        mark(p, symbol, size, shade, edge, thick)
        for p, symbol, size, shade, edge, thick in zip(
            points, each(style.get("symbol"), n, "circle"), each(style.get("size"), n, 6),
            shades, rims, each(rim.get("width"), n, 0), strict=False,
        )
        if p is not None
    ]  # fmt: skip
    return made if pale == 1.0 or isinstance(pale, list | tuple) else [
        f"<g opacity='{pale:g}'>", *made, "</g>"
    ]  # fmt: skip


def _told(trace: Figure, points: list[Point | None], tone: str) -> list[str]:
    font = trace.get("textfont", {})
    size, ink = float(font.get("size", 12)), font.get("color") or tone
    place = trace.get("textposition", "middle center")
    dx = 9.0 if "right" in place else -9.0 if "left" in place else 0.0
    dy = -11.0 if "top" in place else 11.0 if "bottom" in place else 0.0
    anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
    return [
        words((p[0] + dx, p[1] + dy), str(text), size, ink, anchor)
        for p, text in zip(points, each(trace.get("text"), len(points), ""), strict=False)
        if p is not None and text
    ]


def key(trace: Figure, at: Point, fallback: str) -> str:
    """A trace's sample in the legend, 30 pixels wide."""
    (x, y), ink = at, tone_of(trace, fallback)
    kind, mode = trace["type"], trace.get("mode", "lines")
    pale = f" opacity='{trace.get('opacity', 1.0):g}'"
    if kind in ("bar", "histogram"):
        return (
            f"<rect x='{number(x + 9)}' y='{number(y - 6)}' width='12' height='12' fill='{ink}'/>"
        )
    made = ""
    stroke = trace.get("line", {})
    if trace.get("fill") and not stroke.get("width", 2):  # an area alone
        return (
            f"<rect x='{number(x)}' y='{number(y - 5)}' width='30' height='10' "
            f"fill='{trace.get('fillcolor', ink)}'/>"
        )
    if kind == "contour" or "lines" in mode:
        dash = DASHES.get(stroke.get("dash", "solid"))
        made += (
            f"<path d='M{number(x)} {number(y)}h30' stroke='{ink}' fill='none' "
            f"stroke-width='{stroke.get('width', 2) or 6:g}'"
            + (f" stroke-dasharray='{dash}'/>" if dash else "/>")
        )
    if kind == "scatter" and "markers" in mode:
        style = trace.get("marker", {})
        symbol, shade = style.get("symbol", "circle"), style.get("color", ink)
        symbol = symbol if isinstance(symbol, str) else "circle"
        shade = shade if isinstance(shade, str) else ink
        made += mark((x + 15, y), symbol, 9, shade, shade, 0)
    return f"<g{pale}>{made}</g>"


def key_width(trace: Figure, size: float) -> float:
    """Pixels that a trace takes in the legend."""
    return 36.0 + width(str(trace.get("name", "")), size) + 16.0
