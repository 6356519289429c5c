"""HTML with buttons for ipywidgets, which may be replaced while a reader presses them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.views.shelf import FOLLOW, Shelf

SOURCE = Path(__file__).with_name("live.js").read_text()


class LiveHTML(anywidget.AnyWidget):
    """Shows `html`; `on_press` is told the data of every pressed element with `data-do`."""

    shelf = traitlets.Unicode("").tag(sync=True)
    _esm = (
        SOURCE
        + FOLLOW
        + """
async function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  return follow(model, "shelf", attach(root, (data) => model.send(data)));
}
export default { render };
"""
    )

    def __init__(self, on_press: Callable[[dict[str, Any]], None], **traits: Any):
        self._held = Shelf()
        super().__init__(shelf=self._held.model_id or "", **traits)
        self.on_msg(lambda _, data, __: on_press(data))

    @property
    def html(self) -> str:
        """What is shown; only what differs is touched."""
        return self._held.text

    @html.setter
    def html(self, text: str) -> None:
        self._held.text = text
