"""The toolbar of a run in Panel: the same in every room where something steps."""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.views import toolbar_words as words
from workbench.views.acts import ToolbarActs
from workbench.views.parts import button, hint, text
from workbench.views.stepping import SPEEDS, Stepping


class Toolbar(ToolbarActs):
    """Buttons, speed, and where the run is kept.

    Args:
        stepping: what they act on.
        guard: does an action and keeps what goes wrong on the screen.
        follow: has the screen paint what the worker publishes from now on.
        stale: whether the settings are not those that the run began with.
    """

    def __init__(
        self, stepping: Stepping, guard: Callable[[Callable[[], Any]], None],
        follow: Callable[[], None], stale: Callable[[], bool] = lambda: False,
    ):  # fmt: skip
        self.stepping, self._follow, self._stale = stepping, follow, stale
        self.buttons: dict[str, pn.widgets.Button] = {}
        for name, method, doc in words.BUTTONS:
            made = button(
                name, self._doing(method), guard, "primary" if name == "Run" else "default"
            )
            made.description = hint(doc)
            self.buttons[name] = made
        self.speed = pn.widgets.Select(
            options=SPEEDS, value=stepping.speed, width=150, height=32, margin=(0, 12, 6, 0),
            css_classes=["wb-speed"],
        )  # fmt: skip
        self.speed.param.watch(lambda e: setattr(stepping, "speed", e.new), "value")
        self.name = pn.widgets.TextInput(
            placeholder="name of the run", width=150, height=32, margin=(0, 6, 6, 0),
            css_classes=["wb-run-name"],
        )  # fmt: skip
        save = button("Save run", lambda: self._files(stepping.save), guard)
        load = button("Open run", lambda: self._files(stepping.open), guard)
        save.description, load.description = hint(words.SAVE), hint(words.OPEN)
        self.standing = text(css_classes=["wb-standing"], margin=(0, 0, 6, 0))
        row = [*self.buttons.values(), self.speed, self.name, save, load]
        self.view = pn.Column(
            pn.FlexBox(*row, gap="0", margin=0), self.standing,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
