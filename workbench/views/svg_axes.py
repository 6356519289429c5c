"""Axes of a still picture: where values stand, and what is written along them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.html import MINUS
from workbench.views.style import Figure, power_ticks
from workbench.views.svg_columns import values

_ROOM = 0.05  # of its range that an axis without one of its own leaves at either end


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        kind: "linear", "log" or "category".
        low, high: its ends: logarithms to base 10, or numbers of categories, where it is such a
            one; low > high where it runs the other way.
        names: of the categories, in order.
        start, end: pixels of its ends.
    """

    kind: str
    low: float
    high: float
    names: tuple[Any, ...] = ()
    start: float = 0.0
    end: float = 1.0

    def place(self, value: Any) -> float:
        """A value in units of the axis; NaN where it has no place."""
        if self.kind == "category":
            if value in self.names:
                return float(self.names.index(value))
            return float(value) if isinstance(value, int | float) else math.nan
        if value is None or isinstance(value, str):
            return math.nan
        if self.kind == "log":
            return math.log10(value) if value > 0.0 else math.nan
        return float(value)

    def pixel(self, place: float) -> float:
        """Where a place is."""
        share = (place - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def at(self, value: Any) -> float:
        """The pixel of a value."""
        return self.pixel(self.place(value))

    def between(self, start: float, end: float) -> "Axis":
        """The axis with its ends at these pixels."""
        return replace(self, start=start, end=end)


def read(spec: Figure, columns: Sequence[Sequence[Any]], zero: bool) -> Axis:
    """An axis as a figure has it.

    Args:
        spec: its part of the layout.
        columns: what is drawn along it.
        zero: whether bars stand on it, whose foot is seen too.
    """
    flat = [v for column in columns for v in column if v is not None]
    worded = any(isinstance(v, str) for v in flat)
    kind = spec.get("type") or ("category" if worded else "linear")
    names: tuple[Any, ...] = ()
    if kind == "category":
        names = tuple(dict.fromkeys([*spec.get("categoryarray", ()), *flat]))
    axis = Axis(kind, 0.0, 1.0, names)
    if spec.get("range") is not None:
        low, high = (float(v) for v in spec["range"])
        return replace(axis, low=low, high=high)
    places = [p for v in flat if math.isfinite(p := axis.place(v))]
    if kind == "category":
        low, high = -0.5, max(len(names), 1) - 0.5
    elif not places:
        low, high = 0.0, 1.0
    else:
        low, high = min(places), max(places)
        room = _ROOM * ((high - low) or abs(high) or 1.0)
        foot = kind == "linear" and (zero or spec.get("rangemode") == "tozero")
        low, high = (
            0.0 if foot and low >= 0.0 else low - room,
            0.0 if foot and high <= 0.0 else high + room,
        )
    if spec.get("autorange") == "reversed":
        low, high = high, low
    return replace(axis, low=low, high=high)


def ticks(axis: Axis, spec: Figure) -> list[tuple[float, str]]:
    """Places and texts along an axis, within its ends."""
    low, high = sorted((axis.low, axis.high))
    given = spec.get("tickvals")
    if given is not None:
        told = [str(t) for t in spec.get("ticktext") or map(_said, values(given))]
        places = [axis.place(v) for v in values(given)]
    elif axis.kind == "category":
        places, told = [float(k) for k in range(len(axis.names))], [str(n) for n in axis.names]
    elif axis.kind == "log":
        places, told = power_ticks(low, high, most=7)
    else:
        step = float(spec.get("dtick") or _step(high - low, int(spec.get("nticks") or 7)))
        first = math.ceil(low / step - 1e-9)
        places = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
        told = [_said(p, str(spec.get("tickformat", "")), step) for p in places]
    slack = 1e-6 * (high - low)
    return [(p, t) for p, t in zip(places, told, strict=True) if low - slack <= p <= high + slack]


def _step(span: float, most: int) -> float:
    rough = max(span, 1e-300) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(s * unit for s in (1, 2, 5, 10) if s * unit >= rough * (1 - 1e-9))


def _said(value: Any, form: str = "", step: float = 0.0) -> str:
    if not isinstance(value, int | float):
        return str(value)
    if step and abs(value) < 1e-9 * step:
        value = 0.0
    if form.lstrip("+").startswith(".") or form in ("%", "+%"):
        return format(value, form).replace("-", MINUS)
    if step and 1e-4 <= step < 1e6:
        return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}".replace("-", MINUS)
    return f"{value:.4g}".replace("-", MINUS)
