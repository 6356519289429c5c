"""The Train screen in Panel: one layout for the served app and for a notebook cell."""

from typing import Any

import panel as pn

from workbench.html import prose
from workbench.training import Duty
from workbench.views import Given, train_own, train_shown, train_words
from workbench.views import train_engine as engine
from workbench.views.acts import TrainActs
from workbench.views.controls import label
from workbench.views.following import ByTicker
from workbench.views.parts import (
    aside,
    button,
    download,
    figure_pane,
    hint,
    load_extension,
    on_ground,
    text,
    upload,
)
from workbench.views.table import TABLE_CSS
from workbench.views.toolbar import Toolbar
from workbench.views.train_fields import Fields
from workbench.views.train_session import TrainSession

PULL_MS = 250
_CHART, _PICTURE = 300, 380
_OWN = (
    "Choose two files together: the card of your own network (.zip) and the examples of its task, "
    "as .csv (the inputs, then the class or the outputs) or as .safetensors (inputs and targets). "
    "A fifth of the examples is held out."
)


class Train(TrainActs, ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, session: TrainSession, dark: bool = False, **params: Any):
        super().__init__(**params)
        self.session, self.dark = session, dark
        self._seen: Any = None
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self._build()
        self._watching = session.param.watch(lambda *_: self._chosen(), [*session.steers])
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.picker = pn.widgets.Select(
            options=engine.titles(s.own), value=s.problem_name, sizing_mode="stretch_width",
            margin=(2, 0, 4, 0), css_classes=["wb-problem"],
        )  # fmt: skip
        self.picker.param.watch(lambda e: s.param.update(problem_name=e.new), "value")
        self.seed = pn.widgets.IntInput.from_param(
            s.param.seed, label="", width=118, margin=0, css_classes=["wb-seed"]
        )
        self.load = upload(train_own.ACCEPT, multiple=True)
        self.load.param.watch(lambda e: self.guard(lambda: self._open(e.new)), "value")
        self.save = download("Save card", s.card_archive, "trained.zip")
        self.fields = Fields(s, self.guard)
        self.toolbar = Toolbar(s.stepping, self.guard, self.follow, lambda: s.stale)
        self.pin = button("Pin", lambda: self._pin(s.pin), self.guard)
        self.pin.description = hint("Keep this model to compare later ones with.")
        self.unpin = button("Unpin", lambda: self._pin(s.unpin), self.guard)
        self.about = text()
        self.status = text(visible=False, css_classes=["wb-status"])
        self.mark = text(css_classes=["wb-mark"])
        self.sentence = text(css_classes=["wb-sentence"], margin=(4, 0, 8, 0))
        self.task, self.danger = figure_pane(_CHART), figure_pane(_CHART)
        self.figure = figure_pane(_PICTURE)
        self.html = text(css_classes=["wb-picture"])
        self.shown = text(css_classes=["wb-shown"], margin=(4, 0))
        self.met = text()
        self.ledger = pn.widgets.StaticText(
            stylesheets=[TABLE_CSS], sizing_mode="stretch_width", margin=(6, 0),
            css_classes=["wb-ledger"],
        )  # fmt: skip
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width", css_classes=["wb-train"]
        )
        self.layout = on_ground(row, self.dark)

    def _controls(self) -> pn.Column:
        s = self.session
        return aside(
            label("Problem", s.param.problem_name.doc, "task, D₀, C"),
            self.picker,
            self.about,
            self.fields.view,
            pn.Row(
                label("Seed", s.param.seed.doc), self.seed,
                sizing_mode="stretch_width", margin=(4, 0, 0, 0),
            ),
            pn.FlexBox(self.pin, self.unpin, self.save, gap="0", margin=(8, 0, 0, 0)),
            label("Train your own", _OWN, "a card and examples"),
            self.load,
        )  # fmt: skip

    def _main(self) -> pn.Column:
        charts = pn.FlexBox(
            _half(text("<h3>How likely is C?</h3>"), self.danger),
            _half(text("<h3>Does it still do its task?</h3>"), self.task),
            gap="12px 34px", sizing_mode="stretch_width",
        )  # fmt: skip
        below = pn.FlexBox(
            _half(text("<h3>What changed</h3>"), self.figure, self.html, self.shown),
            _half(self.met, self.ledger),
            gap="12px 34px", sizing_mode="stretch_width",
        )  # fmt: skip
        return pn.Column(
            self.toolbar.view, self.status, self.mark, self.sentence, charts, below,
            styles={"flex": "1 1 600px", "min-width": "0"},
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def _open(self, data: list[bytes] | None) -> None:
        if data:
            files = dict(zip(self.load.filename or [], data, strict=True))
            name = self.session.add(train_own.own_duty(files))
            self.session.problem_name = name

    def _chosen(self) -> None:
        super()._chosen()
        s = self.session
        listed = engine.titles(s.own)
        if self.picker.options != listed:
            self.picker.options = listed
        self.picker.value = s.problem_name
        self.fields.paint()
        self.paint()

    def paint(self) -> None:
        """Everything as the session has it."""
        s, found = self.session, self.session.found
        self.toolbar.paint()
        self.about.value = f"<span class='small'>{prose(s.about)}</span>"
        rows, before = s.rows, s.before
        telling = s.telling
        self.mark.value = telling.mark(rows)
        self.mark.visible = bool(self.mark.value)
        self.sentence.value = telling.sentence(rows, found)
        self.danger.object = telling.danger(rows, before, found, self.dark, _CHART)
        self.task.object = telling.task(rows, before, found, self.dark, _CHART)
        self.met.value = f"<h3>{telling.met_title}</h3>"
        self.ledger.value = telling.ledger(found)
        self.html.value, figure = train_shown.shown(found.get("picture"), self.dark, _PICTURE)
        self.figure.visible = figure is not None
        if figure is not None:
            self.figure.object = figure
        self.shown.value = train_words.compared(s.pinned is not None, found)
        self.save.disabled = not s.savable
        self.offer_buttons()

    def end(self) -> None:
        """The page is gone: the session goes on without it."""
        if self.ticker.running:
            self.ticker.stop()
        self.session.param.unwatch(self._watching)


def _half(*parts: Any) -> pn.Column:
    return pn.Column(*parts, styles={"flex": "1 1 400px", "min-width": "0"})


def train(problem: Given | Duty | None = None, dark: bool = False, **state: Any) -> Train:
    """The screen for a notebook cell; it trains only when asked.

    Args:
        problem: a training problem's name, or a `Duty` of one's own.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `seed=3`.
    """
    load_extension()
    view = Train(TrainSession(problem, **state), dark=dark)
    view.begin()
    return view
