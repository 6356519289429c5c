"""The Train screen in ipywidgets: the same session, without Panel."""

from typing import Any

import ipywidgets as w

from workbench.experiments import lessons
from workbench.html import prose
from workbench.views import train_engine as engine
from workbench.views import train_shown, train_words
from workbench.views.acts import TrainActs
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.toolbar_widgets import ToolbarWidgets
from workbench.views.train_session import TrainSession
from workbench.views.widget_parts import STYLE, aside, bound, button, field_control, half, wear

_CHART, _PICTURE = 300, 380


class TrainWidgets(TrainActs, ByTask, w.VBox):
    """Toolbar, settings, charts and picture on a session; it trains only when asked.

    Args:
        session: the state; closed by whoever made it.
        dark: for a dark notebook theme.
    """

    def __init__(self, session: TrainSession, dark: bool = False):
        self.session, self.dark = session, dark
        self.problem = bound(
            session, w.Dropdown, "problem_name", self.guard,
            options=list(engine.titles(session.own).items()),
        )  # fmt: skip
        self.seed = bound(session, w.BoundedIntText, "seed", self.guard, min=0, max=2**31)
        self.fields = w.VBox()
        self.toolbar = ToolbarWidgets(
            session.stepping, self.guard, self.follow, lambda: session.stale
        )
        self.pin = button("Pin", lambda: self._pin(session.pin), self.guard)
        self.unpin = button("Unpin", lambda: self._pin(session.unpin), self.guard)
        self.about, self.status, self.mark, self.sentence = (w.HTML() for _ in range(4))
        self.html, self.shown, self.met, self.ledger = (w.HTML() for _ in range(4))
        self.task, self.danger = empty_figure(_CHART), empty_figure(_CHART)
        self.figure = empty_figure(_PICTURE)
        self.frame = w.VBox([self.figure])
        self._offer()
        session.param.watch(lambda *_: self._list(), "problem_name", what="objects")
        session.param.watch(lambda *_: self._chosen(), [*session.steers])
        session.param.watch(lambda *_: self._offer(), "problem_name")
        controls = aside(
            [self.problem, self.about, self.fields, self.seed, w.HBox([self.pin, self.unpin])],
        )
        wrap = w.Layout(flex_flow="row wrap", flex="1 1 auto")
        main = w.VBox(
            [
                self.toolbar.view, self.status, self.mark, self.sentence,
                w.HBox([_half(_title("How likely is C?"), self.danger),
                        _half(_title("Does it still do its task?"), self.task)], layout=wrap),
                w.HBox([_half(_title("What changed"), self.frame, self.html, self.shown),
                        _half(self.met, self.ledger)], layout=wrap),
            ],
            layout=w.Layout(flex="1 1 auto", min_width="0"),
        )  # fmt: skip
        self.paint()
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-train-widgets")
        wear(self, dark)

    def _offer(self) -> None:
        """One control a setting of the chosen problem's training."""
        s = self.session
        usual, docs = lessons.settings_of(s.problem_name), engine.docs(s.problem_name)
        labels = engine.labels(s.problem_name)
        self.fields.children = [
            field_control(
                labels.get(key, key), s.settings.get(key, value), docs[key],
                engine.CHOICES.get(key),
                lambda new, key=key: self.guard(lambda: s.setting(key, new)),
            )
            for key, value in usual.items()
        ]  # fmt: skip
        for control in self.fields.children:  # in line with the controls around them
            control.layout.width, control.style.description_width = "310px", "144px"

    def _chosen(self) -> None:
        super()._chosen()
        self.paint()

    def _list(self) -> None:
        """What can be chosen; what is chosen stays so."""
        with self.problem.hold_trait_notifications():
            self.problem.options = list(engine.titles(self.session.own).items())
            self.problem.value = self.session.problem_name

    def paint(self) -> None:
        """Everything as the session has it."""
        s, found = self.session, self.session.found
        self.toolbar.paint()
        about = prose(s.about)
        self.about.value = f"{STYLE}<span class='small'>{about}</span>"
        rows, before = s.rows, s.before
        telling = s.telling
        self.mark.value = STYLE + telling.mark(rows)
        self.sentence.value = telling.sentence(rows, found)
        show_figure(self.danger, telling.danger(rows, before, found, self.dark, _CHART))
        show_figure(self.task, telling.task(rows, before, found, self.dark, _CHART))
        self.met.value = f"<b>{telling.met_title}</b>"
        self.ledger.value = STYLE + telling.ledger(found)
        html, figure = train_shown.shown(found.get("picture"), self.dark, _PICTURE)
        self.html.value = html
        self.frame.layout.display = None if figure is not None else "none"
        if figure is not None:
            show_figure(self.figure, figure)
        self.shown.value = STYLE + train_words.compared(s.pinned is not None, found)
        self.offer_buttons()


def _title(said: str) -> w.HTML:
    return w.HTML(f"<b>{said}</b>")


def _half(*parts: Any) -> w.VBox:
    return w.VBox(list(parts), layout=half())
