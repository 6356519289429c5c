"""The toolbar of a run in ipywidgets: the same buttons, speed and folder."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from workbench.views import toolbar_words as words
from workbench.views.acts import ToolbarActs
from workbench.views.stepping import SPEEDS, Stepping


class ToolbarWidgets(ToolbarActs):
    """See `views.toolbar.Toolbar`."""

    def __init__(
        self, stepping: Stepping, guard: Callable[[Callable[[], Any]], None],
        follow: Callable[[], None], stale: Callable[[], bool] = lambda: False,
    ):  # fmt: skip
        self.stepping, self._guard, self._follow, self._stale = stepping, guard, follow, stale
        self.buttons = {
            name: self._button(name, doc, self._doing(method))
            for name, method, doc in words.BUTTONS
        }
        self.buttons["Run"].button_style = "primary"
        self.speed = w.Dropdown(
            options=list(SPEEDS.items()), value=stepping.speed, layout=w.Layout(width="150px")
        )
        self.speed.observe(lambda change: setattr(stepping, "speed", change["new"]), "value")
        self.name = w.Text(placeholder="name of the run", layout=w.Layout(width="150px"))
        save = self._button("Save run", words.SAVE, lambda: self._files(stepping.save))
        load = self._button("Open run", words.OPEN, lambda: self._files(stepping.open))
        self.standing = w.HTML()
        row = w.HBox(
            [*self.buttons.values(), self.speed, self.name, save, load],
            layout=w.Layout(flex_flow="row wrap"),
        )
        self.view = w.VBox([row, self.standing])

    def _button(self, name: str, doc: str, action: Callable[[], Any]) -> w.Button:
        made = w.Button(description=name, tooltip=doc, layout=w.Layout(width="auto"))
        made.on_click(lambda _: self._guard(action))
        return made
