"""What a trace of a figure covers, before it is drawn."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.views.style import Figure


def values(given: Any) -> list[Any]:
    """A column of a trace: a list, an array, or what plotly writes arrays as."""
    if isinstance(given, Mapping):
        flat = np.frombuffer(base64.b64decode(given["bdata"]), np.dtype(given["dtype"]))
        shape = given.get("shape")
        return (flat if shape is None else flat.reshape([*map(int, shape.split(","))])).tolist()
    return np.asarray(given).tolist() if hasattr(given, "__array__") else list(given or ())


def columns(trace: Figure) -> tuple[list[Any], list[Any]]:
    """What a trace covers along x and along y, for axes without a range."""
    x, y = values(trace.get("x")), values(trace.get("y"))
    if trace["type"] in ("heatmap", "contour"):
        z = values(trace["z"])
        x = x or list(range(len(z[0]) if z else 0))
        y = y or list(range(len(z)))
        if trace["type"] == "heatmap":
            x, y = (v if any(isinstance(u, str) for u in v) else edges_of(v) for v in (x, y))
    elif trace["type"] == "histogram":
        edges, heights = counted(trace)
        return edges.tolist(), [0.0, *heights]
    elif not x and y:
        x = list(range(len(y)))
    elif not y and x:
        y = list(range(len(x)))
    for axis, column in (("error_x", x), ("error_y", y)):
        if axis in trace:
            column += [e for ends in ends(trace[axis], column) for e in ends]
    return x, y


def counted(trace: Figure) -> tuple[np.ndarray, list[float]]:
    """Edges of a histogram's bins, and their heights."""
    seen, bins = np.asarray(values(trace["x"]), float), trace.get("xbins")
    if bins:
        steps = round((bins["end"] - bins["start"]) / bins["size"])
        edges = bins["start"] + bins["size"] * np.arange(steps + 1)
    else:
        edges = np.histogram_bin_edges(seen, int(trace.get("nbinsx") or 20))
    heights = np.histogram(seen, edges)[0].astype(float)
    if trace.get("histnorm") == "percent":
        heights *= 100.0 / max(len(seen), 1)
    return edges, heights.tolist()


def tone_of(trace: Figure, fallback: str) -> str:
    """The one colour that a trace is known by."""
    for part in ("line", "marker"):
        found = trace.get(part, {}).get("color")
        if isinstance(found, str):
            return found
    scale = trace.get("colorscale")
    return scale[-1][1] if isinstance(scale, list | tuple) else fallback


def each(given: Any, n: int, fallback: Any) -> list[Any]:
    """A setting that is one for all, or one for each."""
    if isinstance(given, Mapping) or hasattr(given, "__array__"):
        given = values(given)
    if isinstance(given, list | tuple):
        return [*given, *[fallback] * (n - len(given))]
    return [fallback if given is None else given] * n


def edges_of(centres: Sequence[float]) -> list[float]:
    """Where the cells around these centres begin and end."""
    step = (centres[-1] - centres[0]) / max(len(centres) - 1, 1) or 1.0
    return [centres[0] - step / 2.0, centres[-1] + step / 2.0]


def ends(error: Figure, column: Sequence[Any]) -> list[tuple[float, float]]:
    """Lower and upper ends of the bars of error around these values."""
    above = values(error.get("array"))
    below = above if error.get("symmetric", "arrayminus" not in error) else None
    below = values(error.get("arrayminus")) if below is None else below
    return [
        (v - (b or 0.0), v + (a or 0.0))
        for v, a, b in zip(column, above, below, strict=False)
        if isinstance(v, int | float)
    ]
