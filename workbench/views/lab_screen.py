"""One laboratory in Panel, made from its description."""

from collections.abc import Callable
from typing import Any

import panel as pn
import param

from workbench.errors import WorkbenchError
from workbench.views.controls import Dial, label
from workbench.views.following import ByTicker
from workbench.views.lab import Action, Chart, Laboratory, LabSession, Slider, Words
from workbench.views.parts import aside, button, figure_pane, hint, on_ground, text
from workbench.views.table import TABLE_CSS

PULL_MS = 200
_CSS = TABLE_CSS + " .wb-table .l { white-space: normal; }"


class LabScreen(ByTicker, pn.viewable.Viewer):
    """Controls and buttons on the left, blocks on the right.

    Args:
        lab: what to show.
        session: one of `lab.session`; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, lab: Laboratory, session: LabSession, dark: bool = False, **params: Any):
        super().__init__(**params)
        self.lab, self.session, self.dark = lab, session, dark
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self.status = text(visible=False, css_classes=["wb-status"], margin=(6, 0))
        self.buttons = {a.method: self._button(a) for a in lab.actions}
        self.controls: dict[str, Any] = {}
        self.panes: dict[str, Any] = {}
        self.words: dict[str, Any] = {}
        left = aside(
            text(f"<span class='small'>{lab.about}</span>"),
            *[self._control(c) for c in lab.controls],
            pn.FlexBox(*self.buttons.values(), gap="0", margin=(8, 0, 0, 0)),
            self.status,
        )  # fmt: skip
        right = pn.FlexBox(
            *[self._block(b) for b in lab.blocks], gap="14px 34px", sizing_mode="stretch_width"
        )
        row = pn.Row(left, right, sizing_mode="stretch_width", css_classes=[f"wb-lab-{lab.name}"])
        self.layout = on_ground(row, dark)
        names = [c.name if isinstance(c, Slider) else c for c in lab.controls]
        session.param.watch(lambda *_: self.paint(), names)
        self.paint()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def begin(self) -> None:
        """Start what the laboratory shows by itself, and follow it; what was said before stays."""
        try:
            self.session.begin()
        except WorkbenchError as error:
            self.say(str(error))
        self.follow()

    def _doing(self, method: str) -> Callable[[], None]:
        def act() -> None:
            getattr(self.session, method)()
            self.follow()

        return act

    def _button(self, action: Action) -> pn.widgets.Button:
        kind = "primary" if action.main else "default"
        made = button(action.label, self._doing(action.method), self.guard, kind)
        made.description = hint(action.doc)
        made.css_classes = [f"wb-do-{action.method}"]
        return made

    def _control(self, control: str | Slider) -> Any:
        session = self.session
        if isinstance(control, Slider):
            dial = Dial(
                session, control.name, control.low, control.high,
                lambda: self.guard(self._doing("settled")), log=control.log, unit=control.unit,
            )  # fmt: skip
            self.controls[control.name] = dial
            return dial.view
        parameter = session.param[control]
        common: dict[str, Any] = {"margin": (2, 0, 6, 0), "css_classes": [f"wb-{control}"]}
        value = getattr(session, control)
        if isinstance(parameter, param.Selector):
            made = pn.widgets.Select(
                options=dict(parameter.names) if parameter.names else list(parameter.objects),
                value=value, sizing_mode="stretch_width", **common,
            )  # fmt: skip
        elif isinstance(parameter, param.Boolean):
            made = pn.widgets.Checkbox(value=value, label=parameter.label, **common)
        elif isinstance(parameter, param.Integer):
            low, high = parameter.bounds or (None, None)
            made = pn.widgets.IntInput(value=value, start=low, end=high, width=118, **common)
        else:
            made = pn.widgets.TextInput(value=value, sizing_mode="stretch_width", **common)
        self.controls[control] = made

        def change(event: Any) -> None:
            if event.new is None or event.new == getattr(session, control):
                return

            def act() -> None:
                session.param.update(**{control: event.new})
                session.settled()
                self.follow()

            self.guard(act)

        made.param.watch(change, "value")
        session.param.watch(lambda e: made.param.update(value=e.new), control)
        if isinstance(parameter, param.Boolean):
            return made
        return pn.Column(
            label(parameter.label or control, parameter.doc or ""), made,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def _block(self, block: Words | Chart) -> pn.Column:
        words = pn.widgets.StaticText(
            stylesheets=[_CSS], sizing_mode="stretch_width", margin=(6, 0, 2, 0),
            css_classes=[f"wb-lab-{block.mark}"],
        )  # fmt: skip
        self.words[block.mark] = words
        parts = [text(f"<h3>{block.title}</h3>")] if block.title else []
        if isinstance(block, Chart):
            self.panes[block.mark] = figure_pane(block.height, block.share)
            parts.append(self.panes[block.mark])
        return pn.Column(
            *parts, words, styles={"flex": f"1 1 {block.basis}px", "min-width": "0"}
        )  # fmt: skip

    def paint(self) -> None:
        """Blocks and buttons as the session has them."""
        for action in self.lab.actions:
            self.buttons[action.method].disabled = not action.enabled(self.session)
        for block in self.lab.blocks:
            if isinstance(block, Chart):
                figure = block.draw(self.session, self.dark, block.height)
                self.panes[block.mark].object = figure
                self.words[block.mark].value = block.say(self.session)
            else:
                self.words[block.mark].value = block.draw(self.session, self.dark)
