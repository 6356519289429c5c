"""The Explore screen in ipywidgets: the same session, without Panel."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from workbench.errors import WorkbenchError
from workbench.html import prose
from workbench.views import inputs, plots, table, words
from workbench.views.about import about
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.inside_widgets import Inside
from workbench.views.position import POSITION
from workbench.views.roster import askable
from workbench.views.state import Session
from workbench.views.widget_parts import STYLE, aside, bound, button, settings_panel, wear

_REST, _ASIDE = 0.25, 0.12  # seconds of rest before sampling restarts; that it leaves to a move
_CHART_HEIGHT, _MARGIN_HEIGHT = 230, 280


class ExploreWidgets(ByTask, w.VBox):
    """Sliders, table and figures on a session; sampling starts only when asked.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: Session, dark: bool = False):
        self.session, self.dark = session, dark
        self._rest: asyncio.TimerHandle | None = None
        self._build()
        session.param.watch(lambda *_: self._moved(), [*POSITION, "settings", "seed", "budget"])
        self._paint_numbers()
        self._paint_margin()
        controls = aside(
            [self.problem, self.about, *self.sliders.values(), self.direction, self.fixed,
             self.seed, w.HBox([self.new_seed, self.home]), settings_panel(session, self.guard)],
        )  # fmt: skip
        buttons = w.HBox(
            [self.run, self.hold, self.reset, *self.ask.values()],
            layout=w.Layout(flex_flow="row wrap"),
        )
        main = w.VBox(
            [self.chart, self.sentence, buttons, self.uncountable, self.table,
             self.unfit, self.truth, self.status,
             self.margin_chart, self.caption, self.inside.view],
            layout=w.Layout(flex="1 1 auto", min_width="0"),
        )  # fmt: skip
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-explore-widgets")
        wear(self, dark)

    def _build(self) -> None:
        s = self.session
        self.problem = self._bound(
            w.Dropdown, "problem_name", options=list(s.param.problem_name.objects), turn=s.choose
        )
        reach = s.shift_reach
        self.sliders = {
            "sigma": self._bound(w.FloatLogSlider, "sigma", min=-0.6, max=0.6, step=0.01),
            "shift": self._bound(w.FloatSlider, "shift", min=-reach, max=reach, step=reach / 100),
            "lean": self._bound(w.FloatSlider, "lean", min=-4.0, max=4.0, step=0.04),
            "budget": self._budget(),
        }
        self.direction = self._bound(w.ToggleButtons, "direction", options=("steepest", "random"))
        self.direction.style.button_width = "100px"
        self.seed = self._bound(w.BoundedIntText, "seed", min=0, max=2**31 - 1)
        self.new_seed = self._button("New seed", s.new_seed)
        self.home = self._button("Back to the card", lambda: s.choose(s.problem_name))
        self.run = self._button("Run", self.play, "primary")
        self.hold = self._button("Pause", s.pause)
        self.reset = self._button("Reset", s.reset)
        self.ask = {
            entry.key: self._button(entry.title, self._asking(entry.key)) for entry in askable()
        }
        self.about, self.sentence, self.table = w.HTML(), w.HTML(), w.HTML()
        self.caption, self.status = w.HTML(), w.HTML()
        self.fixed, self.uncountable, self.unfit, self.truth = (w.HTML() for _ in range(4))
        self.chart = empty_figure(_CHART_HEIGHT)
        self.margin_chart = empty_figure(_MARGIN_HEIGHT)
        self.inside = Inside(s, self.dark, self.follow, self.guard)

    def _bound(self, kind: Any, name: str, **more: Any) -> Any:
        control = bound(self.session, kind, name, self.guard, to_session=_clean, **more)
        control.add_class(f"wb-slider-{name}")
        return control

    def _budget(self) -> w.FloatLogSlider:
        return bound(
            self.session, w.FloatLogSlider, "budget", self.guard, float,
            lambda value: int(float(f"{value:.2g}")), min=3, max=8, step=0.1,
            description="Budget", readout_format=".2g",
        )  # fmt: skip

    def _button(self, name: str, action: Callable[[], Any], style: str = "") -> w.Button:
        return button(name, lambda: (action(), self._paint_numbers()), self.guard, style)

    def _asking(self, name: str) -> Callable[[], None]:
        def ask() -> None:
            self.session.toggle(name)
            self.follow()

        return ask

    def acted(self) -> None:
        """What a slider moves is painted by `_moved`, what a button does by `_button`."""

    def play(self) -> None:
        """Let Monte Carlo count, make the rows that wait for rest, and follow them."""
        self.session.play()
        self.session.refresh()
        self.follow()

    def unasked(self) -> None:
        self.guard(self.play)

    def paint(self) -> None:
        """What the worker has published."""
        self._paint_numbers()
        self._paint_margin()
        self.inside.pull()

    def _moved(self) -> None:
        """A slider moves: the closed forms now, the rest when it has come to rest."""
        self.session.worker.give_way(_ASIDE)
        self._paint_numbers()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a plain script: nothing can wait
            self.settle()
            return
        if self._rest is not None:
            self._rest.cancel()
        self._rest = loop.call_later(_REST, self.settle)

    def settle(self) -> None:
        """A slider has come to rest: sampling starts afresh, the rest is drawn."""
        self.guard(self.session.settle)
        self.guard(self.session.refresh)
        self.guard(self.inside.refresh)
        reach = self.session.shift_reach
        slider = self.sliders["shift"]
        if slider.max != reach:
            slider.min, slider.max, slider.step = -reach, reach, reach / 100
        self._paint_numbers()
        self._paint_margin()
        if self.session.worker.busy:
            self.follow()

    def _paint_numbers(self) -> None:
        s = self.session
        rows, truth = s.rows(), s.truth
        for row in rows:
            if row.key in self.ask:
                said = s.offer(row)
                self.ask[row.key].description = said
                self.ask[row.key].layout.display = None if said else "none"
        said = words.truth_words(truth, s.at_reference, s.reference.truth is not None)
        self.table.value = STYLE + table.table(rows, truth, s.marked)
        self.unfit.value = table.refused(rows, s.marked)
        self.truth.value = f"<span class='small'>{said}</span>"
        self.sentence.value = words.sentence(rows, truth, s.budget, not s.uncountable)
        self.offer_buttons()
        why = s.uncountable
        self.uncountable.value = f"{STYLE}<span class='small'>{why}</span>" if why else ""
        known = None if truth is None else (truth.log10_p, truth.se_log10)
        show_figure(self.chart, plots.estimates(rows, known, self.dark, _CHART_HEIGHT))

    def _paint_margin(self) -> None:
        s = self.session
        said = STYLE + about(s.reference)
        self.fixed.value = STYLE + words.fixed_words(s.fixed) if s.fixed else ""
        for name in ("sigma", "lean"):
            self.sliders[name].disabled = name in s.fixed
        self.direction.disabled = "lean" in s.fixed
        try:
            said = STYLE + about(s.problem)
            said += inputs.picture(s.problem, s.seed)
            picture = s.margin_picture()
        except WorkbenchError as error:
            self.caption.value = prose(str(error))
            return
        finally:
            self.about.value = said
        figure = plots.margin(picture, self.dark, _MARGIN_HEIGHT)
        self.margin_chart.layout.display = None if figure["data"] else "none"
        show_figure(self.margin_chart, figure)
        self.caption.value = STYLE + words.margin_sentence(picture)


def _clean(value: Any) -> Any:
    """A slider's number without the dust of its steps."""
    if isinstance(value, float):
        return 0.0 if math.isclose(value, 0.0, abs_tol=1e-9) else float(f"{value:.4g}")
    return value
