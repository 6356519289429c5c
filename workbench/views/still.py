"""A screen as a still picture: what a reader sees of it where no kernel runs.

A notebook that is opened without a kernel, in an editor without the widgets, or as a page made of
it, shows nothing of a live screen. So a second output follows each: its words and tables, its
figures as SVG, its controls as text. A style sheet hides it while the live one is on the page, and
before it what stands in for a live one that is lost.
"""

import re
import secrets
from collections.abc import Iterable
from html import escape
from typing import Any

import ipywidgets as w
import panel as pn

from workbench.views import figure_panel, figure_widgets, live_panel, live_widget
from workbench.views.controls import LABEL_CSS
from workbench.views.ground import CODE_CSS, own
from workbench.views.parts import TEXT_CSS
from workbench.views.svg import image
from workbench.views.table import TABLE_CSS

_STYLE = (
    ".wb-still { font-family: system-ui, sans-serif; padding: 6px 10px; } "
    ".wb-still .row { display: flex; flex-wrap: wrap; gap: 2px 26px; align-items: flex-start; } "
    ".wb-still .row > div { flex: 0 1 auto; min-width: 0; max-width: 100%; } "
    ".wb-still .is { font-size: 13px; } .wb-still .is b { font-weight: 500; } "
    + " ".join(css.replace(":host", ".wb-still") for css in (TEXT_CSS, LABEL_CSS))
    + TABLE_CSS.replace(".wb-", ".ws-").replace(".ws-table ", ".wb-still .ws-table ")
    + ".wb-still .ws-table tr { background: transparent; } "
    + CODE_CSS.replace("PLACE", ".wb-still")
)
_NOTE = (
    "A still picture of this screen. Run its cell for the live one, which a page that is loaded "
    "again has lost."
)
_HIDDEN = (
    "body:has(.LIVE) .wb-still-LIVE { display: none; } "
    ".jp-OutputArea-child:has(.jupyter-widgets):not(:has(.jupyter-widgets > *))"
    ":has(+ .jp-OutputArea-child .wb-still-LIVE) { display: none; }"
)
"""The picture where the live screen is; and before the picture, JupyterLab's words for a screen
whose kernel is gone."""
_SHEET = re.compile(r"<style>.*?</style>", re.DOTALL)
_CLASS = re.compile(r"""\bclass=(['"]?)[^'">]*""")
_BUTTON = re.compile(r"<button(?P<about>[^>]*)>(?P<named>.*?)</button>", re.DOTALL)
_SILENT = (
    pn.widgets.Button, pn.widgets.FileDownload, pn.widgets.FileInput, pn.widgets.Toggle,
    pn.layout.HSpacer, pn.Spacer, w.Button,
)  # fmt: skip
"""What only acts."""


def mark() -> str:
    """A name for one live screen, by which its still picture knows that it is there."""
    return f"wb-live-{secrets.token_hex(6)}"


def still(view: Any, dark: bool = False, live: str = "") -> str:
    """The picture of a screen, or of a part of it, as HTML.

    Args:
        view: of Panel or of ipywidgets.
        dark: whether the ground is dark.
        live: the CSS class of the live screen; where an element has it, the picture is hidden.
    """
    hidden = _HIDDEN.replace("LIVE", live) if live else ""
    ground = f".wb-still-{live} {{ {own(dark)} }}"
    # Names of its own, so that whoever looks for a live part finds the live one.
    seen = _CLASS.sub(lambda found: found[0].replace("wb-", "ws-"), "".join(_parts(view)))
    return (
        f"<style>{_STYLE} {ground} {hidden}</style><div class='wb-still wb-still-{live}'>"
        f"<div class='small'>{_NOTE}</div>{seen}</div>"
    )


def _parts(view: Any) -> Iterable[str]:
    if isinstance(view, _SILENT):
        return
    if isinstance(view, pn.viewable.Viewer) and not isinstance(view, pn.viewable.Viewable):
        yield from _parts(view.__panel__())
    elif isinstance(view, pn.viewable.Viewable):
        if view.visible:
            yield from _of_panel(view)
    elif isinstance(view, figure_widgets.Chart):
        yield from _figure(view.shown)
    elif isinstance(view, w.DOMWidget) and view.layout.display != "none":
        yield from _of_widgets(view)


def _of_panel(view: Any) -> Iterable[str]:
    if isinstance(view, figure_panel.Chart):
        yield from _figure(view.object)
    elif isinstance(view, pn.widgets.StaticText):
        if view.value:
            yield f"<div>{view.value}</div>"
    elif isinstance(view, live_panel.LiveHTML):
        yield _unpressed(view.html)
    elif isinstance(view, pn.layout.base.ListLike):
        yield from _laid(view.objects, not isinstance(view, pn.Column))
    elif isinstance(view, pn.widgets.Widget) and not isinstance(view, pn.widgets.FloatSlider):
        options: Any = getattr(view, "options", None)
        named = options.items() if isinstance(options, dict) else ()
        chosen = next((name for name, value in named if value == view.value), view.value)
        yield _control(view.label, chosen)


def _of_widgets(view: Any) -> Iterable[str]:
    if isinstance(view, w.Accordion):
        if view.selected_index is not None:
            yield from _parts(view.children[view.selected_index])
    elif isinstance(view, w.Box):
        yield from _laid(view.children, isinstance(view, w.HBox))
    elif isinstance(view, w.HTML):
        said = _SHEET.sub("", view.value)
        if said:
            yield f"<div>{said}</div>"
    elif isinstance(view, live_widget.LiveHTML):
        yield _unpressed(view.html)
    elif hasattr(view, "value"):
        yield _control(view.description, getattr(view, "label", None) or view.value)


def _unpressed(html: str) -> str:
    """Without what only acts; what it names stays."""
    return _BUTTON.sub(lambda found: found["named"] if "wb-open" in found["about"] else "", html)


def _laid(parts: Iterable[Any], beside: bool) -> Iterable[str]:
    made = [text for part in parts if (text := "".join(_parts(part)))]
    if beside and len(made) > 1:
        yield f"<div class='row'>{''.join(f'<div>{text}</div>' for text in made)}</div>"
    else:
        yield "".join(made)


def _figure(figure: Any) -> Iterable[str]:
    if figure["data"] or figure["layout"].get("shapes"):
        yield f"<div>{image(figure)}</div>"


def _control(name: str | None, value: Any) -> str:
    """A control that nobody can turn: what it stands at."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        said = "yes" if value else "no"
    elif isinstance(value, list | tuple):
        said = ", ".join(map(str, value))
    else:
        said = f"{value:.6g}" if isinstance(value, float) else str(value)
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            said = f"{int(value):,}"
    told = f"{escape(name)}: " if name else ""
    return f"<div class='is'>{told}<b>{escape(said)}</b></div>"
