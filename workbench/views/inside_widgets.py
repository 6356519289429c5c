"""The foldable panel "Inside the network" in ipywidgets; nothing is computed before it opens."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from workbench.estimators import Conditioned
from workbench.html import prose
from workbench.views import inside_figures as figures
from workbench.views import ladder, pictures
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.knobs import KNOBS, Watched
from workbench.views.roster import setting_doc
from workbench.views.state import Session

_HEIGHT = 220


class Inside:
    """Ribbon of layers, summits, lines and the knob on one session.

    Args:
        session: whose worker does the work.
        follow: called after work was given to the worker.
        guard: calls what may raise a `WorkbenchError`, and shows it.
    """

    def __init__(
        self,
        session: Session,
        dark: bool,
        follow: Callable[[], None],
        guard: Callable[[Callable[[], Any]], None],
    ):
        self.session, self.dark, self.follow, self.guard = session, dark, follow, guard
        self.watched = Watched(session)
        self.ribbon, self.shares, self.settling, self.ladder = (
            empty_figure(_HEIGHT) for _ in range(4)
        )
        named = ("state", "ribbon", "cards", "shares", "settling", "ladder")
        self.words = {name: w.HTML() for name in named}
        self.sliders = {name: self._slider(name) for name in KNOBS}
        self.body = w.VBox([self.words["state"]])
        self.view = w.Accordion(
            [self.body], selected_index=None, layout=w.Layout(margin="10px 0 0 0")
        )
        self.view.set_title(0, "Inside the network")
        self.view.observe(lambda _: self.guard(self.refresh), "selected_index")

    @property
    def opened(self) -> bool:
        """Whether the panel is unfolded."""
        return self.view.selected_index == 0

    def refresh(self) -> None:
        """Have the worker look anew, if the panel is open and shows another problem."""
        for name, slider in self.sliders.items():
            slider.value = KNOBS[name].place(self.session)
        if self.opened and self.watched.start():
            self.follow()
        self.pull()

    def pull(self) -> None:
        """Paint what the worker has published since."""
        if not self.opened:
            return
        news, said = self.watched.news(), self.words
        said["state"].value = _small(self.watched.state)
        if "layers" in news:
            show_figure(self.ribbon, figures.ribbon(news["layers"], self.dark))
            said["ribbon"].value = _small(figures.ribbon_words(news["layers"]))
        if "layers_note" in news:
            said["ribbon"].value = _small(prose(news["layers_note"]))
        truth = self.session.truth
        known = None if truth is None else (truth.log10_p, truth.se_log10)
        if "ladder" in news:
            show_figure(self.ladder, ladder.figure(news["ladder"], known, self.dark, _HEIGHT))
            said["ladder"].value = _small(ladder.sentence(news["ladder"], known))
        if "look" in news:
            look = news["look"]
            shown = pictures.shows_digits(self.session.reference)
            said["cards"].value = figures.cards(look, shown)
            show_figure(self.shares, figures.shares(look, self.dark, _HEIGHT))
            said["shares"].value = _small(figures.shares_words(look))
            show_figure(self.settling, figures.settling(look, known, self.dark, _HEIGHT))
            said["settling"].value = _small(figures.settling_words(look, known))
        if "look_note" in news:
            said["cards"].value = _small(prose(news["look_note"]))
        if news.keys() & {"look", "look_note"} and len(self.body.children) == 1:
            self.body.children = [  # drawn once, when there is something to draw
                said["state"], self.ribbon, said["ribbon"], said["cards"], self.shares,
                said["shares"], self.ladder, said["ladder"], *self.sliders.values(),
                self.settling, said["settling"],
            ]  # fmt: skip

    def _slider(self, name: str) -> w.SelectionSlider:
        knob = KNOBS[name]
        slider = w.SelectionSlider(
            options=[(knob.told(v), v) for v in knob.values], value=knob.place(self.session),
            description=name, tooltip=setting_doc(Conditioned, name),
            continuous_update=False, layout=w.Layout(width="420px"),
        )  # fmt: skip
        slider.add_class(f"wb-knob-{name}")

        def turn(change: Any) -> None:
            if change["new"] != knob.place(self.session):
                self.guard(lambda: self.session.setting(Conditioned.name, name, change["new"]))

        slider.observe(turn, "value")
        return slider


def _small(text: str) -> str:
    return f"<span class='small'>{text}</span>" if text else ""
