"""Charts and pictures of the laboratory of gliders."""

import numpy as np

from workbench.views.bitmaps import picture
from workbench.views.gliders_session import GlidersSession
from workbench.views.style import Figure, axis, ink, layout

SHOWN = 256
"""Cells a side of the part of a board that is drawn."""
_LIVE = {False: (31, 43, 58, 255), True: (232, 236, 240, 255)}
PRESUMED = "#D55E00"


def board(session: GlidersSession, dark: bool) -> str:
    """A corner of the plane; of a line, its last generations, the newest below."""
    film = session.film
    if film is None:
        return "<span class='small'>Not begun.</span>"
    cells = film.board.cells if film.trail is None else film.trail
    part = cells[-SHOWN:, :SHOWN].astype(np.uint8)
    told = f"generation {film.generation}, {len(part)} by {part.shape[1]} cells"
    return picture(part, [(0, 0, 0, 0), _LIVE[dark]], 2, told)


def densities(session: GlidersSession, dark: bool, height: int) -> Figure:
    """Seen and predicted densities by generation."""
    film = session.film
    seen = list(film.densities) if film else []
    t = list(range(len(seen)))
    data = [
        _curve("simulated", t, seen, ink(dark)),
        _curve("independent cells", t, session.presumed(len(seen) - 1) if seen else [], PRESUMED),
    ]
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, legend={"orientation": "h", "y": 1.12, "x": 0},
            xaxis=axis(dark, title={"text": "generation"}),
            yaxis=axis(dark, title={"text": "density"}, rangemode="tozero"),
        ),
    }  # fmt: skip


def _curve(name: str, t: list[int], values: list[float], tone: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": t, "y": values,
        "line": {"color": tone, "width": 2},
        "hovertemplate": "generation %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",
    }  # fmt: skip
