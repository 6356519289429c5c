"""HTML with buttons for Panel, which may be replaced while a reader presses them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

SOURCE = Path(__file__).with_name("live.js").read_text()


class LiveHTML(JSComponent):
    """Shows `html`; `on_press` is told the data of every pressed element with `data-do`."""

    html = param.String("", doc="What is shown; only what differs is touched.")
    _esm = (
        SOURCE
        + """
export function render({ model }) {
  const root = document.createElement("div");
  const show = attach(root, (data) => model.send_msg(data));
  show(model.html);
  model.on("html", () => show(model.html));
  return root;
}
"""
    )

    def __init__(self, on_press: Callable[[dict[str, Any]], None], **params: Any):
        self._on_press = on_press
        super().__init__(**params)

    def _handle_msg(self, data: Any) -> None:
        self._on_press(data)
