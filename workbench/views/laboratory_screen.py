"""The room Laboratory in Panel: one tab a laboratory, each made when it is first entered."""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.views.lab import LabSession
from workbench.views.lab_screen import LabScreen
from workbench.views.laboratories import Tabs, find
from workbench.views.parts import load_extension

Sync = Callable[[LabSession], str]
"""Keeps a session and the link equal; a sentence about what the link had in vain."""


class LaboratoryScreen(pn.viewable.Viewer):
    """The room.

    Args:
        tabs: which tab is open.
        dark: whether the ground is dark.
        sync: told of every session that is made.
    """

    def __init__(
        self, tabs: Tabs, dark: bool = False, sync: Sync = lambda session: "", **params: Any
    ):
        super().__init__(**params)
        self.tabs, self.dark, self._sync = tabs, dark, sync
        self.made: dict[str, LabScreen] = {}
        self._begun: set[str] = set()
        self.place = pn.Column(sizing_mode="stretch_width", margin=0)
        self.picker = pn.widgets.RadioButtonGroup.from_param(
            tabs.param.tab, label="", variant="outline", margin=(0, 0, 10, 0),
            css_classes=["wb-labs"],
        )  # fmt: skip
        self.layout = pn.Column(
            self.picker, self.place, sizing_mode="stretch_width", css_classes=["wb-laboratory"]
        )
        self.face(tabs.tab)
        tabs.param.watch(lambda event: self._move(event.old, event.new), ["tab"])

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def face(self, name: str) -> LabScreen:
        """The screen of a laboratory, made where it is not there yet."""
        if name not in self.made:
            lab = find(name)
            session = lab.open()
            refused = self._sync(session)
            self.made[name] = LabScreen(lab, session, self.dark)
            if refused:
                self.made[name].say(refused)
            self.place.append(self.made[name].layout)
        return self.made[name]

    def say(self, message: str) -> None:
        """Show a lasting message under the controls of the open tab; nothing where it is empty."""
        if message:
            self.face(self.tabs.tab).say(message)

    def _move(self, old: str, new: str) -> None:
        self.made[old].session.leave()
        self.made[old].layout.visible = False
        self.face(new).layout.visible = True
        self.enter()

    def enter(self) -> None:
        """The open tab is seen: what it shows by itself may start."""
        name = self.tabs.tab
        if name not in self._begun:
            self._begun.add(name)
            self.face(name).begin()

    def leave(self) -> None:
        """The reader goes to another room."""
        self.made[self.tabs.tab].session.leave()


def laboratory(name: str, dark: bool = False, **state: Any) -> LabScreen:
    """One laboratory for a notebook cell.

    Args:
        name: of the laboratory.
        dark: for a dark notebook theme.
        state: first values of its session's parameters.
    """
    load_extension()
    lab = find(name)
    made = LabScreen(lab, lab.open(**state), dark=dark)
    made.begin()
    return made
