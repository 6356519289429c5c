"""Bars of a still picture, and how those of a figure share their places."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from workbench.views.style import Figure
from workbench.views.svg_axes import Axis
from workbench.views.svg_columns import columns, counted, each
from workbench.views.svg_marks import number


class Bars:
    """How the bars of a figure share their places: beside, upon or over each other."""

    def __init__(self, traces: Sequence[Figure], shape: Figure):
        self.mode = shape.get("barmode", "group")
        self.gap = float(shape.get("bargap", 0.2))
        self.all = [t for t in traces if t["type"] in ("bar", "histogram")]
        self._tops: dict[Any, float] = {}

    def share(self, trace: Figure, places: Sequence[float]) -> tuple[float, float]:
        """(where a bar begins beside its place, how wide it is), in units of its axis."""
        if "width" in trace and isinstance(trace["width"], int | float):
            return -trace["width"] / 2.0, trace["width"]
        near = min((b - a for a, b in pairwise(sorted(set(places)))), default=1.0)
        room = (near or 1.0) * (1.0 - self.gap)
        if self.mode != "group" or len(self.all) < 2:
            return -room / 2.0, room
        each = room / len(self.all)
        k = next(i for i, t in enumerate(self.all) if t is trace)
        return -room / 2.0 + k * each, each

    def foot(self, place: float, height: float) -> float:
        """Where a bar stands: on the one below it, where they are stacked."""
        if self.mode not in ("stack", "relative"):
            return 0.0
        key = place, height < 0.0
        below = self._tops.get(key, 0.0)
        self._tops[key] = below + height
        return below

    def drawn(self, trace: Figure, x: Axis, y: Axis, tone: str) -> str:
        """The bars of one trace."""
        flat = trace.get("orientation") == "h"
        along, up = (y, x) if flat else (x, y)
        if trace["type"] == "histogram":
            edges, heights = counted(trace)
            places: list[float] = ((edges[1:] + edges[:-1]) / 2.0).tolist()
        else:
            keys, heights = columns(trace)[::-1] if flat else columns(trace)
            places = [along.place(k) for k in keys]
        start, room = self.share(trace, places)
        style, n = trace.get("marker", {}), len(places)
        shades, made = each(style.get("color"), n, tone), ""
        for place, height, shade in zip(places, heights, shades, strict=False):
            if height is None or not math.isfinite(place):
                continue
            below = self.foot(place, height)
            foot, top = up.at(below), up.at(below + height)
            foot = foot if math.isfinite(foot) else up.start
            if not math.isfinite(top):
                continue
            a, b = sorted((along.pixel(place + start), along.pixel(place + start + room)))
            low, high = sorted((foot, top))
            left, above, across, tall = (low, a, high - low, b - a) if flat else (
                a, low, b - a, high - low
            )  # fmt: skip
            made += (
                f"<rect x='{number(left)}' y='{number(above)}' width='{across:.2f}' "
                f"height='{tall:.2f}' fill='{shade}'/>"
            )
        return f"<g opacity='{style.get('opacity', 1.0)}'>{made}</g>"
