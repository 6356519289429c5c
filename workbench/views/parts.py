"""Small Panel pieces that all rooms share."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import panel as pn
from bokeh.models import Tooltip
from IPython import display

from workbench.views.figure_panel import Chart
from workbench.views.style import TONES, Figure

_SCRIPT, _LONG = "application/javascript", 100_000
EVERYWHERE_CSS = """
select:not([multiple]).bk-input, select:not([size]).bk-input {
  background-image: url('data:image/svg+xml;utf8,<svg version="1.1" viewBox="0 0 25 20" \
xmlns="http://www.w3.org/2000/svg"><path d="M 0,0 25,0 12.5,20 Z" fill="%23888" /></svg>');
}
.bk-btn:focus-visible, .bk-btn a:focus-visible, .bk-input:focus-visible {
  outline: 2px solid #56B4E9 !important; outline-offset: 1px;
}
.choices__inner:focus-within, .choices__button:focus-visible { outline: 2px solid #56B4E9; }
@media (hover: hover) {
  .bk-spin-wrapper:not(:hover) > .bk-spin-btn { visibility: hidden; }
}
"""
"""Of every part: the arrow of a list is seen on a dark ground too, where Bokeh's own is black; and
what the keyboard has come to has an outline, of which Bokeh gives it none. The arrows of a number
are there for a pointer that is near: to the keyboard, whose own arrows turn the number, they would
be two stops without a name."""
UPLOAD_CSS = """
input { padding: 4px 8px; height: 38px; font-size: 13px; line-height: 28px; }
input::file-selector-button { font: inherit; line-height: 24px; padding: 1px 10px;
  margin: 0 10px 0 0; color: inherit; background: transparent;
  border: 1px solid rgba(128,128,128,.5); border-radius: 4px; }
"""
_LINK_CSS = """
.bk-btn a { display: flex; align-items: center; justify-content: center; height: 100%;
  box-sizing: border-box; padding: 0 12px; }
"""
TEXT_CSS = """
:host { font-size: 14px; line-height: 1.45; }
.small { font-size: 12px; opacity: .72; }
.bad { color: var(--wb-bad, #b3261e); font-weight: 500; }
h3 { font-size: 14px; font-weight: 600; margin: 0; }
sup { line-height: 0; font-size: .75em; }
"""


def text(value: str = "", **more: Any) -> pn.widgets.StaticText:
    """HTML that may change."""
    more = {"sizing_mode": "stretch_width", "margin": 0, **more}
    return pn.widgets.StaticText(value=value, stylesheets=[TEXT_CSS], **more)


def button(
    name: str, action: Callable[[], Any], guard: Callable[[Callable[[], Any]], None],
    kind: str = "default",
) -> pn.widgets.Button:  # fmt: skip
    """A button whose action is done through `guard`, which keeps what goes wrong on the screen."""
    made = pn.widgets.Button(label=name, color=kind, height=32, margin=(0, 6, 6, 0))
    made.on_click(lambda _: guard(action))
    return made


def download(
    name: str, content: Callable[[], Any], filename: str, stylesheets: Sequence[str] = (),
    **more: Any,
) -> pn.widgets.FileDownload:  # fmt: skip
    """A button that saves what `content` gives; as the other buttons are."""
    return pn.widgets.FileDownload(
        callback=content, filename=filename, label=name, height=32,
        stylesheets=[_LINK_CSS, *stylesheets], **{"margin": (0, 6, 6, 0), **more},
    )  # fmt: skip


def upload(accept: str, multiple: bool = False) -> pn.widgets.FileInput:
    """A field that takes files of these suffixes from the visitor's disk."""
    return pn.widgets.FileInput(
        accept=accept, multiple=multiple, height=40, sizing_mode="stretch_width",
        margin=(2, 0, 6, 0), css_classes=["wb-open"],
        stylesheets=[UPLOAD_CSS],
    )  # fmt: skip


def hint(words: str) -> Tooltip:
    """What is said of a button under the pointer: below it, clear of its neighbours."""
    return Tooltip(content=words, position="bottom")


def figure_pane(height: int, share: float = 0.0) -> Chart:
    """An empty place for a figure, which takes that share of the window's height if it is more."""
    high = f"max({height}px, {100 * share:g}vh) !important"
    tall = f":host {{ height: {high}; flex-basis: {high}; }}"
    return Chart(
        sizing_mode="stretch_width", height=height, share=share, margin=0,
        stylesheets=[tall] if share else [],
    )  # fmt: skip


def show(place: Chart, figure: Figure) -> None:
    """Put a figure into its place, which becomes as high as the figure is."""
    place.param.update(height=figure["layout"]["height"], figure=place.written(figure))


def aside(*parts: Any) -> pn.Column:
    """The column of controls to the left of a room; narrower where the page is."""
    narrow = "@media (max-width: 1180px) { :host { width: 296px !important; margin-right: 18px; } }"
    return pn.Column(*parts, width=330, margin=(0, 26, 0, 0), stylesheets=[narrow])


def on_ground(view: Any, dark: bool) -> Any:
    """The view, with the colours of its words fit for a light or a dark ground."""
    view.stylesheets = [*view.stylesheets, f":host {{ {TONES[dark]} }}"]
    return view


def load_extension() -> None:
    """Panel's scripts, once a notebook; inline, as one without a network must show its figures."""
    if not pn.extension._loaded:  # type: ignore[attr-defined]
        inline = os.environ.get("PANEL_INLINE", "true").lower() not in ("false", "0")
        with _scripts_once():
            pn.extension("plotly", raw_css=[EVERYWHERE_CSS], inline=inline)


@contextmanager
def _scripts_once() -> Iterator[None]:
    """Panel's scripts under one MIME type: under both of its own they are saved twice, 8 MB each.

    The one that stays is the one that JupyterLab, VS Code and nbconvert's pages all run.
    """
    whole = display.publish_display_data

    def once(data: dict[str, Any], *args: Any, **more: Any) -> Any:
        if len(data.get(_SCRIPT, "")) > _LONG:
            data = {_SCRIPT: data[_SCRIPT]}
        return whole(data, *args, **more)

    display.publish_display_data = once
    try:
        yield
    finally:
        display.publish_display_data = whole
