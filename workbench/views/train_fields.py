"""The settings of a training as Panel controls, from its dataclass fields."""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.experiments import lessons
from workbench.views import train_engine as engine
from workbench.views.train_session import TrainSession


class Fields:
    """One control a setting; they follow the session.

    Args:
        session: whose settings they give.
        guard: does an action and keeps what goes wrong on the screen.
    """

    def __init__(self, session: TrainSession, guard: Callable[[Callable[[], Any]], None]):
        self.session, self._guard = session, guard
        self.widgets: dict[str, pn.widgets.Widget] = {}
        self._docs: dict[str, str] = {}
        self.view = pn.FlexBox(gap="0 12px", sizing_mode="stretch_width")
        self.paint()

    def paint(self) -> None:
        """The controls of the chosen training, with the session's values."""
        usual = lessons.settings_of(self.session.problem_name)
        docs = engine.docs(self.session.problem_name)
        if list(usual) != list(self.widgets) or docs != self._docs:
            self._docs = docs
            self.widgets = {key: self._control(key, value) for key, value in usual.items()}
            self.view.objects = list(self.widgets.values())
        for key, widget in self.widgets.items():
            value = self.session.settings.get(key, usual[key])
            if widget.value != value:
                widget.value = value

    def _control(self, key: str, usual: Any) -> pn.widgets.Widget:
        common: dict[str, Any] = {
            "label": engine.labels(self.session.problem_name).get(key, key.replace("_", " ")),
            "value": self.session.settings.get(key, usual),
            "width": 140, "margin": (0, 0, 4, 0), "description": self._docs[key],
            "css_classes": [f"wb-set-{key}"],
        }  # fmt: skip
        choices = engine.CHOICES.get(key)
        if choices:
            made = pn.widgets.Select(options=list(choices), **common)
        elif isinstance(usual, bool):
            common.pop("description")
            made = pn.widgets.Checkbox(**common)
        elif isinstance(usual, int):
            made = pn.widgets.IntInput(**common)
        elif isinstance(usual, float):
            made = pn.widgets.FloatInput(**common)
        else:
            made = pn.widgets.TextInput(**common)
        made.param.watch(lambda e: self._give(key, e.new), "value")
        return made

    def _give(self, key: str, value: Any) -> None:
        usual = lessons.settings_of(self.session.problem_name)
        if (
            key in usual
            and value is not None
            and value != self.session.settings.get(key, usual.get(key))
        ):
            self._guard(lambda: self.session.setting(key, value))
