"""HTML with buttons for ipywidgets, which may be replaced while a reader presses them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

SOURCE = Path(__file__).with_name("live.js").read_text()


class LiveHTML(anywidget.AnyWidget):
    """Shows `html`; `on_press` is told the data of every pressed element with `data-do`."""

    html = traitlets.Unicode("").tag(sync=True)
    _esm = (
        SOURCE
        + """
function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const show = attach(root, (data) => model.send(data));
  show(model.get("html"));
  model.on("change:html", () => show(model.get("html")));
}
export default { render };
"""
    )

    def __init__(self, on_press: Callable[[dict[str, Any]], None], **traits: Any):
        super().__init__(**traits)
        self.on_msg(lambda _, data, __: on_press(data))
