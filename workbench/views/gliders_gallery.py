"""The gallery of what stood out on a board: pictures, names, fates, and how surprising each is."""

import numpy as np

from workbench.automata.background import Background
from workbench.automata.fate import Fate
from workbench.automata.gliders import Glider, between
from workbench.automata.rule import Elementary
from workbench.automata.surprise import Found
from workbench.automata.windows import read
from workbench.html import power, signed
from workbench.numbers import several
from workbench.views import gliders_words as words
from workbench.views.bitmaps import Colour, picture
from workbench.views.gliders_plots import LIVE
from workbench.views.gliders_session import FOUND, GlidersSession
from workbench.views.worker import RUNNING

MOST = 18
"""Cards that are shown."""
_GENERATIONS, _MARGIN, _EDGE = 44, 30, 48


def gallery(session: GlidersSession, dark: bool) -> str:
    """One card a structure, or a glider of the line (HTML)."""
    found, look = session.found(FOUND), session.look
    if found.get("state") == RUNNING and look is None:
        return "<span class='small'>Looking …</span>"
    if look is None:
        return "<span class='small'><b>Find</b> shows what stands out on the present board.</span>"
    palette = [(0, 0, 0, 0), LIVE[dark]]
    if look.structures:
        cards = [_structure(one, palette) for one in look.structures[:MOST]]
    elif look.ground is not None:
        law = session.law
        assert isinstance(law, Elementary)
        cards = [_mover(law, look.ground, one, palette) for one in look.movers[:MOST]]
    else:
        return "<span class='small'>Nothing stands out: the presumption holds on this board.</span>"
    return (
        f"<p style='margin:0 0 8px'>{words.found(session)}</p>"
        "<div class='wb-gallery' style='display:flex;flex-wrap:wrap;gap:10px'>"
        + "".join(cards) + "</div>"
    )  # fmt: skip


def _card(image: str, title: str, lines: list[str]) -> str:
    body = "".join(f"<div>{line}</div>" for line in lines)
    return (
        "<figure class='wb-card' style='margin:0;padding:8px 10px;width:186px;"
        "border:1px solid rgba(128,128,128,.3);border-radius:6px'>"
        f"<div style='height:64px;display:flex;align-items:center;justify-content:center;"
        f"overflow:hidden'>{image}</div>"
        f"<figcaption style='font-size:12px;line-height:1.35'><b>{title}</b>{body}</figcaption>"
        "</figure>"
    )


def _odds(count: int, expected: float, ratio: float, error: float) -> list[str]:
    several = f"{count:,} seen, "
    few = f"{expected:,.1f}" if expected >= 0.1 else power(float(np.log10(expected)), 1)
    return [f"{several}{few} expected", f"log₁₀ ratio {signed(ratio)} ± {error:.2f}"]


def _structure(one: Found, palette: list[Colour]) -> str:
    cells = np.pad(read(one.pattern), 1).astype(np.uint8)
    image = picture(cells, palette, max(3, min(9, 60 // max(cells.shape))), one.pattern)
    fate = one.fate
    told = {
        "still life": "still life",
        "oscillator": f"oscillator of period {fate.period}",
        "spaceship": _flight(fate),
        "dies": f"dies out after {several(fate.period, 'generation')}",
        "restless": "does not settle",
    }[fate.kind]
    odds = _odds(one.count, one.expected, one.log10_ratio, one.log10_err)
    return _card(image, one.name or "unnamed", [told, *odds])


def _flight(fate: Fate) -> str:
    """Where a spaceship is after a period: (1, 1) cells of a glider."""
    rows, columns = (abs(step) for step in fate.shift)
    return f"moves by ({rows}, {columns}) in {fate.period} generations"


def _mover(rule: Elementary, ground: Background, one: Glider, palette: list[Colour]) -> str:
    form = one.forms[0]
    row = between(ground, form.left, form.cells, form.right, _MARGIN + _GENERATIONS)
    rows = [row]
    for _ in range(_GENERATIONS - 1):
        rows.append(rule(rows[-1]))
    cells = np.array(rows)[:, _GENERATIONS:-_GENERATIONS].astype(np.uint8)
    image = picture(cells[:, : 2 * _EDGE + 30], palette, 1, f"{one.period} generations")
    way = (
        f"period {one.period}"
        if one.shift == 0
        else f"moves {abs(one.shift)} {'right' if one.shift > 0 else 'left'} in {one.period}"
    )
    told = f"{way}; {several(len(one.forms), 'form')}"
    odds = _odds(one.count, one.expected, one.log10_ratio, one.log10_err)
    return _card(image, f"glider {one.name}" if one.name else "unnamed", [told, *odds])
