"""Fields of a still picture: grids of cells, and lines of equal height."""

import base64
import math
import re
from itertools import pairwise
from typing import Any, cast

import numpy as np
from contourpy import contour_generator

from workbench.views.bitmaps import Colour, png
from workbench.views.style import Figure
from workbench.views.svg_axes import Axis
from workbench.views.svg_columns import columns, edges_of, values
from workbench.views.svg_marks import DASHES, number, path

_SHADES = 255


def heatmap(trace: Figure, x: Axis, y: Axis) -> str:
    """Cells of colour; nothing where nothing is known."""
    rows = [[math.nan if v is None else float(v) for v in row] for row in values(trace["z"])]
    z = np.asarray(rows, float)
    seen = z[np.isfinite(z)]
    if not seen.size:
        return ""
    low, high = trace.get("zmin", seen.min()), trace.get("zmax", seen.max())
    cells = np.zeros(z.shape, np.int64)  # 0 is where nothing is known
    cells[np.isfinite(z)] = [1 + level(v, low, high) for v in seen]
    plain = {k: v for k, v in trace.items() if k in ("type", "z", "x", "y")}
    ends = []
    for axis, column in zip((x, y), columns(plain), strict=True):
        places = [axis.place(v) for v in column]
        pair = edges_of(places) if axis.kind == "category" else [places[0], places[-1]]
        ends.append([axis.pixel(p) for p in pair])
    (x0, x1), (y0, y1) = ends
    if y1 < y0:  # the first row is the lowest
        cells = cells[::-1]
    if x1 < x0:
        cells = cells[:, ::-1]
    data = base64.b64encode(
        png(cells, [(0, 0, 0, 0), *palette(trace.get("colorscale"), _SHADES)])
    ).decode()
    return (
        f"<image x='{number(min(x0, x1))}' y='{number(min(y0, y1))}' width='{abs(x1 - x0):.1f}' "
        f"height='{abs(y1 - y0):.1f}' preserveAspectRatio='none' style='image-rendering:pixelated' "
        f"href='data:image/png;base64,{data}'/>"
    )


def level(value: float, low: float, high: float, levels: int = _SHADES) -> int:
    """Which of so many steps from low to high a value is at."""
    share = (value - low) / ((high - low) or 1.0)
    return round(min(1.0, max(0.0, share)) * (levels - 1))


def palette(scale: Any, levels: int = _SHADES) -> list[Colour]:
    """A colour scale in steps; viridis' ends where it is a name."""
    stops = scale if isinstance(scale, list | tuple) else [[0, "#440154"], [1, "#fde725"]]
    at = [float(s[0]) for s in stops]
    tones = np.array([_rgba(s[1]) for s in stops], float)
    shares = np.linspace(0.0, 1.0, levels)
    bands = np.stack([np.interp(shares, at, tones[:, k]) for k in range(4)], 1).round()
    return [(int(r), int(g), int(b), int(a)) for r, g, b, a in bands]


def _rgba(text: str) -> Colour:
    if text.startswith("#"):
        code = text[1:] if len(text) == 7 else "".join(2 * c for c in text[1:])
        r, g, b = (int(code[k : k + 2], 16) for k in (0, 2, 4))
        return r, g, b, 255
    parts = [float(v) for v in re.findall(r"[\d.]+", text)]
    r, g, b = (int(v) for v in parts[:3])
    return r, g, b, round(255 * parts[3]) if len(parts) > 3 else 255


def css(colour: Colour) -> str:
    """A colour as SVG has it."""
    r, g, b, a = colour
    return f"rgba({r},{g},{b},{a / 255:.3g})"


def contour(trace: Figure, x: Axis, y: Axis, tone: str) -> str:
    """Lines of equal height, or the ground on one side of one."""
    across, up = columns(trace)
    z = np.asarray([[math.nan if v is None else v for v in row] for row in values(trace["z"])])
    lines = contour_generator(across, up, np.ma.masked_invalid(z))
    kind, made = trace.get("contours", {}), ""
    if kind.get("type") == "constraint":  # plotly fills where it does not hold
        edge = float(kind["value"])
        ends = (edge, math.inf) if kind["operation"] == "<" else (-math.inf, edge)
        for polygon, starts in zip(*cast(Any, lines.filled(*ends)), strict=True):
            made += "".join(
                path([(x.at(a), y.at(b)) for a, b in polygon[i:j].tolist()], closed=True)
                for i, j in pairwise(starts)
            )
        made = f"<path d='{made}' fill='{trace['fillcolor']}' fill-rule='evenodd'/>"
        levels = [edge]
    else:
        start, end = float(kind["start"]), float(kind["end"])
        step = float(kind.get("size") or 1.0)
        levels = [start + k * step for k in range(round((end - start) / step) + 1)]
    dash = DASHES.get(trace.get("line", {}).get("dash", "solid"))
    outline = "".join(
        path([(x.at(a), y.at(b)) for a, b in one.tolist()])
        for at in levels
        for one in cast(Any, lines.lines(at))
    )
    return made + (
        f"<path d='{outline}' fill='none' stroke='{tone}' "
        f"stroke-width='{trace.get('line', {}).get('width', 1):g}'"
        + (f" stroke-dasharray='{dash}'/>" if dash else "/>")
    )
