"""One laboratory in ipywidgets, made from the same description and on the same session."""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import param

from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.lab import Action, Chart, Laboratory, LabSession, Slider, Words
from workbench.views.widget_parts import STYLE, aside, bound, button, listed, wear


class LabWidgets(ByTask, w.VBox):
    """Controls and buttons on the left, blocks on the right.

    Args:
        lab: what to show.
        session: one of `lab.session`; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, lab: Laboratory, session: LabSession, dark: bool = False):
        self.lab, self.session, self.dark = lab, session, dark
        self.status = w.HTML()
        self.buttons = {action.method: self._button(action) for action in lab.actions}
        names = [c.name if isinstance(c, Slider) else c for c in lab.controls]
        controls = map(self._control, lab.controls)
        self.controls = dict(zip(names, controls, strict=True))
        self.figures = {b.mark: empty_figure(b.height) for b in lab.blocks if isinstance(b, Chart)}
        self.words = {b.mark: w.HTML() for b in lab.blocks}
        session.param.watch(lambda *_: self.paint(), names)
        about = w.HTML(f"{STYLE}<span class='small'>{lab.about}</span>")
        buttons = w.HBox(list(self.buttons.values()), layout=w.Layout(flex_flow="row wrap"))
        left = aside(
            [about, *self.controls.values(), buttons, self.status],
        )
        right = w.HBox(
            [self._block(b) for b in lab.blocks],
            layout=w.Layout(flex_flow="row wrap", flex="1 1 auto"),
        )
        self.paint()
        super().__init__([w.HBox([left, right])])
        self.add_class(f"wb-lab-{lab.name}-widgets")
        wear(self, dark)

    def begin(self) -> None:
        """Start what the laboratory shows by itself, and follow it."""
        self.guard(self._doing("begin"))

    def _doing(self, method: str) -> Callable[[], None]:
        def act() -> None:
            getattr(self.session, method)()
            self.follow()

        return act

    def _button(self, action: Action) -> w.Button:
        style = "primary" if action.main else ""
        made = button(action.label, self._doing(action.method), self.guard, style)
        made.tooltip = action.doc
        return made

    def _control(self, control: str | Slider) -> Any:
        session, slider = self.session, control if isinstance(control, Slider) else None
        name = slider.name if slider else str(control)
        parameter = session.param[name]

        def turn(value: Any) -> None:
            session.param.update(**{name: value})
            session.settled()
            self.follow()

        kind: Any
        more: dict[str, Any]
        if slider is not None and slider.log:
            kind, more = w.FloatLogSlider, {
                "min": math.log10(slider.low), "max": math.log10(slider.high),
                "continuous_update": False,
            }  # fmt: skip
        elif slider is not None:
            whole = isinstance(parameter, param.Integer)
            kind, more = w.IntSlider if whole else w.FloatSlider, {
                "min": slider.low, "max": slider.high, "continuous_update": False,
                "step": 1 if whole else (slider.high - slider.low) / 200,
            }  # fmt: skip
        elif isinstance(parameter, param.Selector):
            kind, more = w.Dropdown, {"options": listed(parameter)}
        elif isinstance(parameter, param.Boolean):
            kind, more = w.Checkbox, {}
        elif isinstance(parameter, param.Integer):
            low, high = parameter.bounds or (-(2**31), 2**31)
            kind, more = w.BoundedIntText, {"min": low, "max": 2**31 if high is None else high}
        else:
            kind, more = w.Text, {"continuous_update": False}
        made = bound(session, kind, name, self.guard, turn=turn, **more)
        made.style.description_width = "136px"
        return made

    def _block(self, block: Words | Chart) -> w.VBox:
        parts: list[Any] = [w.HTML(f"{STYLE}<h3>{block.title}</h3>")] if block.title else []
        if isinstance(block, Chart):
            parts.append(self.figures[block.mark])
        self.words[block.mark].add_class(f"wb-lab-{block.mark}")
        # A row each: a figure keeps the width that it found when it was made.
        layout = w.Layout(flex="1 1 100%", min_width="0")
        return w.VBox([*parts, self.words[block.mark]], layout=layout)

    def paint(self) -> None:
        """Blocks and buttons as the session has them."""
        for action in self.lab.actions:
            self.buttons[action.method].disabled = not action.enabled(self.session)
        for block in self.lab.blocks:
            if isinstance(block, Chart):
                drawn = block.draw(self.session, self.dark, block.height)
                show_figure(self.figures[block.mark], drawn)
                self.words[block.mark].value = STYLE + block.say(self.session)
            else:
                self.words[block.mark].value = STYLE + block.draw(self.session, self.dark)
