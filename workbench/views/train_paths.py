"""What training changed of a controller: the paths that it steers, before and now."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.views.style import Figure, axis, ink, layout
from workbench.views.train_pictures import NOW, THEN, beyond


@dataclass(frozen=True)
class Paths:
    """Positions from step to step under the same starts and gusts.

    Attributes:
        now: `(n, T + 1)`.
        before: the same under the controller to compare with, or None.
        track: C holds beyond it on either side.
        usual: `(2, T + 1)`: what holds 95% of the paths under D0.
    """

    now: Tensor
    before: Tensor | None
    track: float
    usual: Tensor


def paths(picture: Paths, dark: bool, height: int) -> Figure:
    """The likeliest accidents of before and what became of them; C's region is shaded."""
    p = picture
    steps = list(range(p.now.shape[1]))
    low, high = p.usual.tolist()
    shown = [p.now] if p.before is None else [p.now, p.before]
    top = max(1.25 * p.track, 1.05 * float(torch.cat(shown).abs().max()))
    data: list[Figure] = [
        {
            "type": "scatter", "x": [*steps, *steps[::-1]], "y": [*high, *low[::-1]],
            "fill": "toself", "fillcolor": "rgba(130,130,130,.22)", "line": {"width": 0},
            "mode": "lines", "name": "95% of D₀, now", "hoverinfo": "skip",
        }
    ]  # fmt: skip
    if p.before is not None:
        data.append(_lines(p.before, "these gusts, before", THEN, 1.1, "dot"))
    data.append(_lines(p.now, "the same gusts, now", NOW, 1.6, "solid"))
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, margin={"l": 8, "r": 12, "t": 34, "b": 8},
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            xaxis=axis(dark, title={"text": "step"}, range=[0, steps[-1]], dtick=1),
            yaxis=axis(dark, title={"text": "position"}, range=[-top, top]),
            shapes=[beyond(p.track, top), beyond(-top, -p.track)],
            annotations=[
                {"x": 0.99, "xref": "paper", "xanchor": "right", "y": p.track, "yanchor": "bottom",
                 "text": "C: off the track", "showarrow": False,
                 "font": {"size": 11, "color": ink(dark)}}
            ],
        ),
    }  # fmt: skip


def _lines(y: Tensor, name: str, tone: str, width: float, dash: str) -> Figure:
    """All rows of `(n, T + 1)` as one trace, with gaps."""
    n, steps = y.shape
    gap = y.new_full((n, 1), torch.nan)
    at = [None if v != v else v for v in torch.cat([y, gap], 1).flatten().tolist()]
    return {
        "type": "scatter", "mode": "lines", "x": [*range(steps), None] * n, "y": at, "name": name,
        "line": {"color": tone, "width": width, "dash": dash}, "opacity": 0.85,
        "hovertemplate": f"{name}: step %{{x}}, position %{{y:.3g}}<extra></extra>",
    }  # fmt: skip
