"""A figure as a still picture: SVG, where no script runs that could draw it.

Only what the screens and notebooks draw is read of plotly's language: lines, marks, bars, grids of
cells, lines of equal height, on linear, logarithmic and worded axes.
"""

import base64
from html import escape
from typing import Any

from workbench.views.style import GREY, GROUNDS, Figure
from workbench.views.svg_axes import Axis, read, ticks
from workbench.views.svg_bars import Bars
from workbench.views.svg_columns import columns
from workbench.views.svg_marks import DASHES, number, width, words
from workbench.views.svg_traces import drawn, key, key_width

_FONT = 12.0
_LEGEND = 20.0  # pixels of one of its lines
_INKS = {False: "#3c4148", True: "#c8ccd2"}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def image(figure: Figure, wide: int = 760, told: str = "a chart") -> str:
    """The picture as an `<img>`, which notebooks show whose scripts are not trusted.

    On a ground of its own: that of the page may be as dark as its letters are.

    Args:
        wide: pixels.
        told: what it shows, for those who do not see it.
    """
    data = base64.b64encode(svg(figure, wide).encode()).decode()
    return (
        f"<img alt='{escape(told, quote=True)}' src='data:image/svg+xml;base64,{data}' "
        f"style='max-width:100%;height:auto;{GROUNDS[_for_dark(figure)]}'>"
    )


def _for_dark(figure: Figure) -> bool:
    """Whether its letters are light."""
    given = figure.get("layout", {}).get("font", {}).get("color") or _INKS[False]
    parts = [int(given[k : k + 2], 16) for k in (1, 3, 5)] if len(given) == 7 else [0]
    return sum(parts) / len(parts) > 128


def svg(figure: Figure, wide: int = 760) -> str:
    """The picture.

    Args:
        figure: `data` and `layout`, as plotly has them.
        wide: pixels; its height is the figure's own.

    Raises:
        Unsupported: where a trace is of a kind that no screen draws.
    """
    return _Picture(figure, wide).made()


class _Picture:
    def __init__(self, figure: Figure, wide: int):
        self.shape: Figure = figure.get("layout", {})
        self.data = [t for t in figure.get("data", ()) if t.get("visible", True) is True]
        self.data = [{"type": "scatter", **t} for t in self.data]
        self.wide, self.high = wide, int(self.shape.get("height") or 360)
        self.ink = self.shape.get("font", {}).get("color") or _INKS[False]
        given = self.shape.get("colorway")
        self.tones = [given[k % len(given)] if given else _COLOURS[k % len(_COLOURS)]
                      for k in range(len(self.data))]  # fmt: skip
        self.pairs = {
            (t.get("xaxis") or "x", t.get("yaxis") or "y"): None for t in self.data
        } or {("x", "y"): None}  # fmt: skip
        self.axes = {name: self._read(name) for pair in self.pairs for name in pair}
        self.ticks = {name: ticks(axis, self._spec(name)) for name, axis in self.axes.items()}
        self.keys = [
            (t, tone) for t, tone in zip(self.data, self.tones, strict=True)
            if self.shape.get("showlegend", len(self.data) > 1)
            and t.get("showlegend", True) and t.get("name")
        ]  # fmt: skip
        self._place()

    def _spec(self, name: str) -> Figure:
        return self.shape.get(f"{name[0]}axis{name[1:]}") or {}

    def _read(self, name: str) -> Axis:
        across = name[0] == "x"
        mine = [t for t in self.data if (t.get(f"{name[0]}axis") or name[0]) == name]
        feet = [
            t for t in mine
            if (t["type"] in ("bar", "histogram") and (t.get("orientation") == "h") == across)
            or (t.get("fill") == "tozeroy" and not across)
        ]  # fmt: skip
        return read(self._spec(name), [columns(t)[not across] for t in mine], bool(feet))

    def _title(self, name: str) -> str:
        given: Any = self._spec(name).get("title") or ""
        return str(given if isinstance(given, str) else given.get("text") or "")

    def _place(self) -> None:
        """Room for words around the plot, and pixels for the axes."""
        told: Any = self.shape.get("title") or ""
        self.title = str(told if isinstance(told, str) else told.get("text") or "")
        self.lines: list[list[Any]] = [[]]
        room = self.wide - 40.0
        for entry in self.keys:
            if sum(key_width(t, 11) for t, _ in [*self.lines[-1], entry]) > room:
                self.lines.append([])
            self.lines[-1].append(entry)
        self.top = 10.0 + (22.0 if self.title else 0.0)
        above = self.top + (_LEGEND * len(self.lines) + 4.0 if self.keys else 0.0)
        sides = {"left": 10.0, "right": 14.0, "bottom": 8.0}
        for name in self.axes:
            spec = self._spec(name)
            if spec.get("visible", True) is False:
                continue
            marked = [] if spec.get("showticklabels", True) is False else self.ticks[name]
            if name[0] == "x":
                need = (17.0 if marked else 0.0) + (22.0 if self._title(name) else 0.0)
                sides["bottom"] = max(sides["bottom"], need + 8.0)
                continue
            side = spec.get("side", "left")
            need = max((width(t, _FONT) for _, t in marked), default=0.0) + 8.0
            sides[side] = max(sides[side], need + (24.0 if self._title(name) else 0.0) + 4.0)
        left, right = sides["left"], self.wide - sides["right"]
        low, high = self.high - sides["bottom"], above
        self.frame = left, high, right, low
        for name, axis in self.axes.items():
            a, b = self._spec(name).get("domain") or (0.0, 1.0)
            ends = (left, right) if name[0] == "x" else (low, high)
            span = ends[1] - ends[0]
            self.axes[name] = axis.between(ends[0] + a * span, ends[0] + b * span)
        for x, y in self.pairs:
            if self._spec(y).get("scaleanchor"):
                self._equal(x, y)

    def _equal(self, x: str, y: str) -> None:
        """One scale on both axes: what is round looks round."""
        across, up = self.axes[x], self.axes[y]
        scale = min(abs((a.end - a.start) / ((a.high - a.low) or 1.0)) for a in (across, up))
        for name, axis, fixed in ((x, across, 0.5), (y, up, 1.0)):
            span = axis.end - axis.start
            mine = scale * abs(axis.high - axis.low) * (1.0 if span > 0 else -1.0)
            start = axis.start + fixed * (span - mine)
            self.axes[name] = axis.between(start, start + mine)

    def made(self) -> str:
        """All of it, from the ground up."""
        bars = Bars(self.data, self.shape)
        shapes = self.shape.get("shapes") or ()
        left, high, right, low = self.frame
        before: dict[Any, Figure] = {}
        axes: dict[str, tuple[str, str]] = {}  # each once, if several pairs share it
        for pair in self.pairs:
            axes = dict.fromkeys(pair, pair) | axes
        traces = ""
        for trace, tone in zip(self.data, self.tones, strict=True):
            pair = trace.get("xaxis") or "x", trace.get("yaxis") or "y"
            x, y = (self.axes[name] for name in pair)
            traces += drawn(trace, x, y, tone, bars, before.get(pair, {}))
            before[pair] = trace
        parts = [
            *[self._shape(s) for s in shapes if s.get("layer") == "below"],
            *[self._grid(name, pair) for name, pair in axes.items()],
            f"<clipPath id='plot'><rect x='{number(left - 6)}' y='{number(high - 6)}' "
            f"width='{number(right - left + 12)}' height='{number(low - high + 12)}'/></clipPath>",
            f"<g clip-path='url(#plot)'>{traces}</g>",
            *[self._shape(s) for s in shapes if s.get("layer") != "below"],
            *[self._note(note) for note in self.shape.get("annotations") or ()],
            *self._legend(),
        ]
        if self.title:
            parts.append(words((left, 16), self.title, 14, self.ink, "start"))
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{self.wide}' height='{self.high}' "
            f"viewBox='0 0 {self.wide} {self.high}' font-family='system-ui, sans-serif'>"
            f"{''.join(parts)}</svg>"
        )

    def _grid(self, name: str, pair: tuple[str, str]) -> str:
        spec, axis, across = self._spec(name), self.axes[name], name[0] == "x"
        if spec.get("visible", True) is False:
            return ""
        other = self.axes[pair[1] if across else pair[0]]
        size = float(spec.get("tickfont", {}).get("size") or _FONT)
        right = spec.get("side") == "right"
        foot = other.start if not right else other.end
        made, grid = "", spec.get("gridcolor") or "rgba(128,128,128,.2)"
        for place, text in self.ticks[name]:
            p = axis.pixel(place)
            if spec.get("showgrid", True):
                line = (
                    f"M{number(p)} {number(other.start)}V{number(other.end)}" if across
                    else f"M{number(other.start)} {number(p)}H{number(other.end)}"
                )  # fmt: skip
                made += f"<path d='{line}' stroke='{grid}'/>"
            if spec.get("showticklabels", True) is False:
                continue
            at = (p, foot + 12) if across else (foot + (6 if right else -6), p)
            anchor = "middle" if across else "start" if right else "end"
            made += words(at, text, size, self.ink, anchor)
        if spec.get("zeroline") and axis.kind == "linear" and axis.low < 0.0 < axis.high:
            p, tone = axis.pixel(0.0), spec.get("zerolinecolor") or GREY
            line = f"M{number(p)} {number(other.start)}V{number(other.end)}" if across else (
                f"M{number(other.start)} {number(p)}H{number(other.end)}"
            )  # fmt: skip
            made += f"<path d='{line}' stroke='{tone}'/>"
        title, middle = self._title(name), (axis.start + axis.end) / 2.0
        given: Any = spec.get("title")
        tone = given.get("font", {}).get("color") if isinstance(given, dict) else None
        if title and across:
            made += words((middle, foot + 32), title, _FONT + 1, tone or self.ink)
        elif title:
            far = max((width(t, size) for _, t in self.ticks[name]), default=0.0) + 20
            at = foot + far if right else foot - far
            made += words((at, middle), title, _FONT + 1, tone or self.ink, turned=True)
        return made

    def _at(self, ref: str, value: Any) -> float:
        """A pixel of a shape or note; `ref` is an axis, "paper", or an axis' "domain"."""
        name, _, domain = ref.partition(" ")
        axis = self.axes.get(name) or next(a for n, a in self.axes.items() if n[0] == name[0])
        return axis.start + value * (axis.end - axis.start) if domain else axis.at(value)

    def _point(self, spec: Figure, x: str = "x", y: str = "y") -> tuple[float, float]:
        left, high, right, low = self.frame
        across, up = spec.get("xref") or "x", spec.get("yref") or "y"
        return (
            left + spec[x] * (right - left) if across == "paper" else self._at(across, spec[x]),
            low + spec[y] * (high - low) if up == "paper" else self._at(up, spec[y]),
        )

    def _shape(self, spec: Figure) -> str:
        (x0, y0), (x1, y1) = self._point(spec, "x0", "y0"), self._point(spec, "x1", "y1")
        left, high, right, low = self.frame
        stroke = spec.get("line", {})
        ink, thick = stroke.get("color") or self.ink, float(stroke.get("width", 2))
        if spec["type"] == "line":
            if not (left - 1 <= x0 <= right + 1 and high - 1 <= y0 <= low + 1):
                return ""
            dash = DASHES.get(stroke.get("dash", "solid"))
            return (
                f"<path d='M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}' stroke='{ink}' "
                f"stroke-width='{thick:g}'" + (f" stroke-dasharray='{dash}'/>" if dash else "/>")
            )
        x0, x1 = (min(right, max(left, v)) for v in sorted((x0, x1)))
        y0, y1 = (min(low, max(high, v)) for v in sorted((y0, y1)))
        return (
            f"<rect x='{number(x0)}' y='{number(y0)}' width='{x1 - x0:.2f}' "
            f"height='{y1 - y0:.2f}' fill='{spec.get('fillcolor') or 'none'}'"
            + (f" stroke='{ink}' stroke-width='{thick:g}'/>" if thick else "/>")
        )

    def _note(self, spec: Figure) -> str:
        x, y = self._point(spec)
        font = spec.get("font", {})
        size, text = float(font.get("size") or _FONT), str(spec.get("text", ""))
        anchor = {"left": "start", "right": "end"}.get(spec.get("xanchor", ""), "middle")
        x += spec.get("xshift", 0) + {"start": 2, "end": -2}.get(anchor, 0)
        lift = {"top": 0.7, "bottom": -0.7}.get(spec.get("yanchor", ""), 0.0)
        y += lift * size - spec.get("yshift", 0)
        return words((x, y), text, size, font.get("color") or self.ink, anchor)

    def _legend(self) -> list[str]:
        made = []
        for k, line in enumerate(self.lines):
            x, y = self.frame[0] + 4.0, self.top + _LEGEND * (k + 0.5)
            for trace, tone in line:
                made.append(key(trace, (x, y), tone))
                made.append(words((x + 36, y), str(trace["name"]), 11, self.ink, "start"))
                x += key_width(trace, 11)
        return made
