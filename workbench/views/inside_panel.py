"""The foldable panel "Inside the network" in Panel. Nothing is made before it is opened.

A block enters the page when it has something to show: drawing it empty first, and again at its
size, was most of the time that opening took.
"""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.errors import WorkbenchError
from workbench.estimators import Conditioned
from workbench.html import prose
from workbench.views import inside_figures as figures
from workbench.views import ladder, pictures
from workbench.views.controls import label
from workbench.views.knobs import KNOBS, Watched
from workbench.views.parts import figure_pane, show, text
from workbench.views.position import POSITION
from workbench.views.roster import setting_doc
from workbench.views.state import Session

_HEIGHT = 240


class Inside:
    """Ribbon of layers, summits, lines and the knob on one session.

    Args:
        session: whose worker does the work.
        follow: called after work was given to the worker.
        settled: called when a knob has come to rest; it calls `refresh` in turn.
        say: shows a lasting message.
    """

    def __init__(
        self,
        session: Session,
        dark: bool,
        follow: Callable[[], None],
        settled: Callable[[], None],
        say: Callable[[str], None],
    ):
        self.session, self.dark = session, dark
        self.follow, self.settled, self.say = follow, settled, say
        self.watched = Watched(session)
        self.toggle = pn.widgets.Toggle(
            label="Inside the network ▸", height=34, sizing_mode="stretch_width",
            margin=(10, 0, 4, 0), css_classes=["wb-inside-toggle"],
        )  # fmt: skip
        self.body = pn.Column(visible=False, sizing_mode="stretch_width", css_classes=["wb-inside"])
        self.toggle.param.watch(lambda e: self._fold(e.new), "value")
        session.param.watch(lambda *_: self._mark(), [*POSITION, "seed", "settings"])
        self.view = pn.Column(self.toggle, self.body, sizing_mode="stretch_width", margin=0)

    def _furnish(self) -> None:
        """The parts, when they are first asked for: a sixth of the time that a page takes."""
        self.state = text(css_classes=["wb-inside-state"])
        self.ribbon, self.shares, self.settling, self.ladder = (
            figure_pane(_HEIGHT) for _ in range(4)
        )
        self.ribbon_words, self.shares_words, self.settling_words, self.ladder_words = (
            text() for _ in range(4)
        )
        self.cards = text(css_classes=["wb-inside-summits"], margin=(4, 0))
        self.sliders = {name: self._slider(name) for name in KNOBS}
        self.blocks = pn.FlexBox(gap="14px 34px", sizing_mode="stretch_width")
        self.body.objects = [self.state, self.blocks]

    def _show(self, ribbon: bool, look: bool) -> None:
        """Let those blocks into the page that have something to show, once."""
        if ribbon and not self.blocks.objects:
            self.blocks.append(
                _block("How far propagation is off, neuron by neuron", self.ribbon,
                       self.ribbon_words, wide=True)
            )  # fmt: skip
        if look and len(self.blocks) == 1:
            knobs = (
                part
                for name, slider in self.sliders.items()
                for part in (label(name, setting_doc(Conditioned, name)), slider)
            )
            self.blocks.extend([
                _block("Where the failures are", self.cards),
                _block("What each line adds", self.shares, self.shares_words),
                _block("From propagation to integration", self.ladder,
                       self.ladder_words),
                _block("More lines, a surer answer", pn.FlexBox(
                    pn.Column(*knobs, styles={"flex": "1 1 260px", "min-width": "0"}),
                    pn.Column(self.settling, self.settling_words,
                              styles={"flex": "2 1 420px", "min-width": "0"}),
                    gap="8px 34px", sizing_mode="stretch_width",
                ), wide=True),
            ])  # fmt: skip

    def refresh(self) -> None:
        """Have the worker look anew, if the panel is open and shows another problem."""
        if not self.body.visible:
            return
        try:
            if self.watched.start():
                self.follow()
        except WorkbenchError as error:
            self.say(str(error))
        self.pull()

    def pull(self) -> None:
        """Paint what the worker has published since."""
        if not self.body.visible:
            return
        news = self.watched.news()
        self._mark()
        if "layers" in news:
            show(self.ribbon, figures.ribbon(news["layers"], self.dark))
            self.ribbon_words.value = _small(figures.ribbon_words(news["layers"]))
        if "layers_note" in news:
            self.ribbon.object = {"data": [], "layout": {}}
            self.ribbon_words.value = _small(prose(news["layers_note"]))
        if "ladder" in news:
            self.ladder.object = ladder.figure(news["ladder"], self._known, self.dark, _HEIGHT)
            self.ladder_words.value = _small(ladder.sentence(news["ladder"], self._known))
        if "look" in news:
            self._paint(news["look"])
        if "look_note" in news:
            self.cards.value = _small(prose(news["look_note"]))
            self.shares_words.value = self.settling_words.value = ""
            self.shares.object = self.settling.object = {"data": [], "layout": {}}
        self._show("layers" in news or "layers_note" in news, "look" in news or "look_note" in news)

    @property
    def _known(self) -> tuple[float, float] | None:
        truth = self.session.truth
        return None if truth is None else (truth.log10_p, truth.se_log10)

    def _paint(self, look: Any) -> None:
        known = self._known
        shown = pictures.shows_digits(self.session.reference)
        self.cards.value = figures.cards(look, shown)
        self.shares.object = figures.shares(look, self.dark, _HEIGHT)
        self.shares_words.value = _small(figures.shares_words(look))
        self.settling.object = figures.settling(look, known, self.dark, _HEIGHT)
        self.settling_words.value = _small(figures.settling_words(look, known))

    def _fold(self, opened: bool) -> None:
        self.toggle.label = f"Inside the network {'▾' if opened else '▸'}"
        if opened and not self.body.objects:
            self._furnish()
        self.body.visible = opened
        self.refresh()

    def _mark(self) -> None:
        """Say so where what is shown is about other sliders."""
        if not self.body.objects:
            return
        if self.body.visible:
            self.state.value = _small(self.watched.state)
        for name, slider in self.sliders.items():
            if slider.value != (value := KNOBS[name].place(self.session)):
                slider.value = value

    def _slider(self, name: str) -> Any:
        knob = KNOBS[name]
        slider = pn.widgets.DiscreteSlider(
            label="", options={knob.told(v): v for v in knob.values},
            value=knob.place(self.session), sizing_mode="stretch_width", margin=(0, 8, 4, 8),
            css_classes=[f"wb-knob-{name}"],
        )  # fmt: skip
        slider.param.watch(lambda e: self.turn(name, e.new), "value_throttled")
        return slider

    def turn(self, name: str, value: float) -> None:
        """Give a setting of `Conditioned` to the session, from which all else follows."""
        if value == KNOBS[name].place(self.session):
            return
        try:
            self.session.setting("conditioned", name, value)
        except WorkbenchError as error:
            self.say(str(error))
        self.settled()


def _small(said: str) -> str:
    return f"<span class='small'>{said}</span>" if said else ""


def _block(title: str, *parts: Any, wide: bool = False) -> pn.Column:
    head = text(value=f"<h3>{title}</h3>")
    styles = {"flex": "1 1 100%" if wide else "1 1 420px", "min-width": "0"}
    return pn.Column(head, *parts, styles=styles)
