"""A rehearsal of notebooks as one HTML page: what moved, and what was drawn."""

import base64
from collections.abc import Sequence
from html import escape

from workbench.experiments.notebooks import Value
from workbench.experiments.rehearsal import Rehearsal
from workbench.views import html_page


def page(rehearsals: Sequence[Rehearsal]) -> str:
    """A table of the notebooks, then of each: its values beside the recorded ones, its pictures."""
    lines = [
        (r.notebook, r.standing, f"{r.seconds:.0f}", str(len(r.now)), str(len(r.moved)))
        for r in rehearsals
    ]
    titles = ("notebook", "standing", "seconds", "values", "moved")
    parts = ["<h1>Notebooks</h1>", html_page.rows(titles, lines, numbers=(2, 3, 4))]
    first = True
    for rehearsal in rehearsals:
        parts.append(f"<h2>{escape(rehearsal.notebook)}: {escape(rehearsal.standing)}</h2>")
        if rehearsal.reason:
            parts.append(f"<p class=bad>{escape(rehearsal.reason)}</p>")
        if rehearsal.now or rehearsal.then:
            parts.append(_values(rehearsal))
        for mime, data in rehearsal.pictures:
            if mime == "image/png":
                parts.append(f"<img alt='' src='data:image/png;base64,{_base64(data)}'>")
                continue
            parts.append(html_page.plot(data, first))
            first = False
    return html_page.page("Notebooks", parts)


def _values(rehearsal: Rehearsal) -> str:
    """The table of differences: what moved stands first."""
    moved = rehearsal.moved
    names = [*moved, *(name for name in rehearsal.now if name not in moved)]
    lines = []
    for name in names:
        now, then = rehearsal.now.get(name), rehearsal.then.get(name)
        mark = "moved" if rehearsal.then and name in moved else ""
        lines.append((name, _text(now), _text(then), _change(now, then), mark))
    titles = ("value", "now", "recorded", "difference", "")
    return html_page.rows(titles, lines, numbers=(1, 2, 3))


def _text(value: Value | None) -> str:
    if value is None:
        return "–"
    number, error = (f"{v:.6g}" if isinstance(v, int | float) else v for v in value)
    return str(number) if error is None else f"{number} ± {error}"


def _change(now: Value | None, then: Value | None) -> str:
    if now is None or then is None or isinstance(now[0], str) or isinstance(then[0], str):
        return ""
    return f"{now[0] - then[0]:+.2g}" if now[0] != then[0] else "0"


def _base64(data: str) -> str:
    """Canonical base64 of what claims to be an image; a notebook's text never becomes markup."""
    return base64.b64encode(base64.b64decode(data)).decode()
