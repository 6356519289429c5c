"""What training changed, in a picture: the boundary on a plane, images, the margin on a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.html import power
from workbench.views import pictures
from workbench.views.style import CATASTROPHE, Figure, axis, ink, layout

NOW, THEN = "#A05EF7", "#8a8f98"
_CLASSES = {
    False: ("#0072B2", "#E69F00", "#009E73", "#CC79A7"),
    True: ("#56B4E9", "#F0B84A", "#3CC79A", "#E2A3C7"),
}
"""{dark: colours of the classes}."""
_TURN = torch.linspace(0.0, 2.0 * torch.pi, 61, dtype=torch.float64)


@dataclass(frozen=True)
class Plane:
    """A model of two inputs, seen from above.

    Attributes:
        x, y: `(n,)` and `(m,)`: the grid.
        margin: `(m, n)`: the margin now; C holds where it is positive.
        before: `(m, n)`: the same of the pinned model, or None.
        score: `(m, n)`: what decides between the classes now (0 is the boundary), or None.
        score_before: the same of the pinned model, or None.
        points: `(k, 2)` training inputs, and their `labels`.
        clouds: (name, mean `(2,)`, factor `(2, 2)`) of Gaussian distributions to outline.
    """

    x: Tensor
    y: Tensor
    margin: Tensor
    before: Tensor | None = None
    score: Tensor | None = None
    score_before: Tensor | None = None
    points: Tensor | None = None
    labels: Sequence[int] = ()
    clouds: Sequence[tuple[str, Tensor, Tensor]] = ()


def plane(picture: Plane, dark: bool, height: int) -> Figure:
    """C's region shaded; boundaries now (solid) and as pinned (dotted); data and distributions."""
    p = picture
    data: list[Figure] = [
        {
            "type": "heatmap", "x": p.x.tolist(), "y": p.y.tolist(),
            "z": (p.margin > 0).double().tolist(), "zmin": 0, "zmax": 1, "showscale": False,
            "colorscale": [[0, "rgba(0,0,0,0)"], [1, CATASTROPHE]], "hoverinfo": "skip",
        }
    ]  # fmt: skip
    if p.points is not None:
        data += _points(p.points, p.labels, dark)
    for values, tone, dash, name in (
        (p.before, "#D55E00", "dot", "C, before"), (p.margin, "#D55E00", "solid", "C holds beyond"),
        (p.score_before, THEN, "dot", "boundary, before"), (p.score, NOW, "solid", "boundary"),
    ):  # fmt: skip
        if values is not None:
            data.append(_zero_line(p, values, tone, dash, name))
    data += [_outline(*cloud, dark) for cloud in p.clouds]
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, margin={"l": 8, "r": 12, "t": 34, "b": 8},
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom",
                    "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
            xaxis=axis(dark, range=[float(p.x[0]), float(p.x[-1])], title={"text": "x₁"},
                       constrain="domain"),
            yaxis=axis(dark, range=[float(p.y[0]), float(p.y[-1])], title={"text": "x₂"},
                       scaleanchor="x", constrain="domain", constraintoward="top"),
        ),
    }  # fmt: skip


def _points(points: Tensor, labels: Sequence[int], dark: bool) -> list[Figure]:
    found, tones = [], _CLASSES[dark]
    for label in sorted(set(labels)):
        mine = points[[k for k, one in enumerate(labels) if one == label]]
        found.append(
            {
                "type": "scatter", "mode": "markers", "x": mine[:, 0].tolist(),
                "y": mine[:, 1].tolist(), "name": f"class {label}", "hoverinfo": "skip",
                "marker": {"size": 4, "opacity": 0.6, "color": tones[label % len(tones)]},
            }
        )  # fmt: skip
    return found


def _zero_line(p: Plane, values: Tensor, tone: str, dash: str, name: str) -> Figure:
    return {
        "type": "contour", "x": p.x.tolist(), "y": p.y.tolist(), "z": values.tolist(),
        "contours": {"start": 0, "end": 0, "size": 1, "coloring": "none"}, "name": name,
        "showscale": False, "showlegend": True, "hoverinfo": "skip",
        "line": {"color": tone, "width": 2.2 if dash == "solid" else 1.6, "dash": dash},
    }  # fmt: skip


def _outline(name: str, mean: Tensor, factor: Tensor, dark: bool) -> Figure:
    """Where a Gaussian is two standard deviations from its mean."""
    ring = mean + 2.0 * torch.stack([_TURN.cos(), _TURN.sin()], 1) @ factor.mT
    return {
        "type": "scatter", "mode": "lines", "x": ring[:, 0].tolist(), "y": ring[:, 1].tolist(),
        "name": name, "line": {"color": ink(dark), "width": 1.2,
                               "dash": "solid" if name == "D₀" else "dash"},
        "hovertemplate": f"{name}: two standard deviations<extra></extra>",
    }  # fmt: skip


@dataclass(frozen=True)
class Image:
    """The mean of a distribution of 8 x 8 images, with log10 P there now and before."""

    name: str
    pixels: Tensor
    log10_p: float | None
    before: float | None = None


def gallery(images: Sequence[Image]) -> str:
    """D0 and the adversaries as images, and what each one differs by from D0 (HTML)."""
    cells = []
    for k, image in enumerate(images):
        was = "" if image.before is None else f"{power(image.before, 1)} → "
        now = "–" if image.log10_p is None else power(image.log10_p, 1)
        off = "" if k == 0 else pictures.signed(3.0 * (image.pixels - images[0].pixels), 58)
        cells.append(
            "<figure style='margin:0;text-align:center'>"
            f"<div style='display:flex;gap:3px;justify-content:center'>"
            f"{pictures.image(image.pixels, 58)}{off}</div>"
            f"<figcaption style='font-size:11px'>{image.name}<br>{was}<b>{now}</b></figcaption>"
            "</figure>"
        )
    return (
        "<div class='wb-gallery' style='display:grid;gap:12px 14px;"
        f"grid-template-columns:repeat(auto-fill,minmax(134px,1fr))'>{''.join(cells)}</div>"
    )


@dataclass(frozen=True)
class Curve:
    """The margin along a line through the mean of D0, now and before; C holds above 0.

    `towards` says where the line leads; `mark` is the t of what was planted on it.
    """

    t: Tensor
    now: Tensor
    before: Tensor | None = None
    towards: str = "towards the last adversary's"
    mark: float | None = None


def curve(picture: Curve, dark: bool, height: int) -> Figure:
    """Margin against the way to the adversary, C's side shaded."""
    data: list[Figure] = []
    for values, tone, dash, name in (
        (picture.before, THEN, "dot", "before"), (picture.now, NOW, "solid", "now"),
    ):  # fmt: skip
        if values is not None:
            data.append(
                {
                    "type": "scatter", "mode": "lines", "x": picture.t.tolist(),
                    "y": values.tolist(), "name": name,
                    "line": {"color": tone, "width": 2.2, "dash": dash},
                    "hovertemplate": f"{name}: margin %{{y:.3g}}<extra></extra>",
                }
            )  # fmt: skip
    top = max(1.0, *(max(d["y"]) for d in data))
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, margin={"l": 8, "r": 12, "t": 34, "b": 8},
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            xaxis=axis(dark, title={"text": f"from the mean of D₀ {picture.towards}"}),
            yaxis=axis(dark, title={"text": "margin; C holds above 0"}),
            shapes=[beyond(0.0, 1.1 * top), *_planted(picture.mark, dark)],
            annotations=_named(picture.mark, dark),
        ),
    }  # fmt: skip


def _planted(at: float | None, dark: bool) -> list[Figure]:
    if at is None:
        return []
    return [
        {
            "type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at,
            "line": {"color": ink(dark), "width": 1, "dash": "dash"},
        }
    ]  # fmt: skip


def _named(at: float | None, dark: bool) -> list[Figure]:
    """What stands at the line of `_planted`."""
    if at is None:
        return []
    return [
        {
            "x": at, "y": 0.0, "yref": "paper", "text": "trigger", "showarrow": False,
            "xanchor": "left", "yanchor": "bottom", "xshift": 4,
            "font": {"size": 11, "color": ink(dark)},
        }
    ]  # fmt: skip


def beyond(y0: float, y1: float) -> Figure:
    """A band across the chart in which C holds."""
    return {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": y0, "y1": y1, "layer": "below",
        "fillcolor": CATASTROPHE, "line": {"width": 0},
    }  # fmt: skip
