"""The chart of densities and the picture of the board, in the laboratory of gliders."""

from collections.abc import Sequence

import numpy as np

from workbench.views.bitmaps import picture
from workbench.views.gliders_session import FOUND, GlidersSession
from workbench.views.style import Figure, axis, ink, layout, log_axis

SHOWN = 256
"""Cells a side of the part of a board that is drawn."""
LIVE = {False: (31, 43, 58, 255), True: (232, 236, 240, 255)}
LASTING = (0, 158, 115, 255)
TONES = ("#D55E00", "#E69F00", "#56B4E9", "#0072B2", "#A05EF7")
"""Of the presumptions, from the crudest on."""
GIVEN = "#009E73"
NAMES = {
    "cell": "independent cells",
    "pair": "pairs",
    "2x2": "2 × 2 blocks",
    "3x3": "3 × 3 blocks",
    "1 cells": "independent cells",
}
"""{presumption: as the legend calls it}; others by themselves."""


def board(session: GlidersSession, dark: bool) -> str:
    """A corner of the plane, found structures in green; of a line, its last generations."""
    film = session.film
    if film is None:
        return "<span class='small'>Not started yet.</span>"
    cells = film.board.cells if film.trail is None else film.trail
    part = cells[-SHOWN:, :SHOWN].astype(np.uint8)
    look = session.look
    here = session.found(FOUND).get("generation") == film.generation
    if look is not None and look.territory is not None and here:
        part = part * (1 + look.territory[-SHOWN:, :SHOWN])
    told = f"generation {film.generation}, {len(part)} by {part.shape[1]} cells"
    shown = picture(part, [(0, 0, 0, 0), LIVE[dark], LASTING], 2, told)
    return f"{shown}<div class='small'>{_say_board(session, part.shape, here)}</div>"


def _say_board(session: GlidersSession, shape: tuple[int, ...], here: bool) -> str:
    look, film = session.look, session.film
    assert film is not None
    if film.trail is not None:
        return f"The last {shape[0]} generations of {shape[1]} cells, the latest at the bottom."
    part = f"A corner of {shape[0]} × {shape[1]} cells."
    if look is not None and look.territory is not None and here:
        return f"{part} <span style='color:{GIVEN}'>Green</span>: structures that persist."
    return f"{part} What stands out is found at the last generation, or with <b>Find</b>."


def densities(session: GlidersSession, dark: bool, height: int) -> Figure:
    """Seen and predicted densities by generation, on logarithmic time."""
    film = session.film
    data = [
        _curve(NAMES.get(name, name), range(len(values)), values, tone, 1.6)
        for (name, values), tone in zip(session.curves.items(), TONES, strict=False)
    ]
    forecast = session.found(FOUND).get("forecast")
    if forecast is not None:
        end = max(2 * forecast.now, film.generation if film else 0)
        t = np.unique(np.geomspace(forecast.now, end, 40).round().astype(int)).tolist()
        told = [forecast.density(k) for k in t]
        data.append(_curve("given what was found", t, told, GIVEN, 3.0, "dash"))
    seen = film.densities if film else ()
    data.append(_curve("simulated", range(len(seen)), seen, ink(dark), 2.2))
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True,
            legend={"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"},
            xaxis=log_axis(
                dark, [t for d in data for t in d["x"]],
                title={"text": "generation, counted from 1"},
            ),
            yaxis=axis(
                dark, title={"text": "density"},
                rangemode="normal" if film and film.trail is not None else "tozero",
            ),
        ),
    }  # fmt: skip


def _curve(
    name: str, t: Sequence[int], values: Sequence[float], tone: str, width: float,
    dash: str = "solid",
) -> Figure:  # fmt: skip
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": [k + 1 for k in t],
        "y": list(values), "customdata": list(t),
        "line": {"color": tone, "width": width, "dash": dash},
        "hovertemplate": "generation %{customdata}: %{y:.4f}<extra>%{fullData.name}</extra>",
    }  # fmt: skip
