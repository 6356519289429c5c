"""The Coherence screen in ipywidgets: the same session, without Panel."""

import asyncio
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as w

from workbench.views import coherence_plots, coherence_words
from workbench.views.coherence_session import CoherenceSession, entries
from workbench.views.following import ByTask
from workbench.views.widgets import STYLE, empty_figure, show_figure

_BARS, _SCATTER = 270, 340


class CoherenceWidgets(ByTask, w.VBox):
    """Pickers, table and charts on a session; nothing is measured before it is asked for.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: CoherenceSession, dark: bool = False):
        self.session, self.dark = session, dark
        self._poller: asyncio.Task[None] | None = None
        self._seen: Any = None
        titles = [(entry.title, key) for key, entry in entries().items()]
        names = list(session.param.problem_name.objects)
        self.problem = self._bound(w.Dropdown, "problem_name", options=names)
        self.method = self._bound(w.Dropdown, "key", options=titles)
        self.probes = self._bound(w.BoundedIntText, "probes", min=0, max=10_000)
        self.run = self._button("Measure", self.start, "primary")
        self.hold = self._button("Stop", session.stop)
        self.all = self._button("Whole catalogue", self.start_all)
        self.about, self.sentence, self.table = w.HTML(), w.HTML(), w.HTML()
        self.status, self.points_words = w.HTML(), w.HTML()
        self.bars, self.scatter = empty_figure(_BARS), empty_figure(_SCATTER)
        session.param.watch(lambda *_: self.paint(), ["problem_name", "key", "probes"])
        controls = w.VBox(
            [self.problem, self.about, self.method, self.probes,
             w.HBox([self.run, self.hold, self.all])],
            layout=w.Layout(width="340px", min_width="340px", margin="0 20px 0 0"),
        )  # fmt: skip
        own = w.VBox([self.sentence, self.bars, self.table, self.status], layout=_half())
        known = w.VBox([self.scatter, self.points_words], layout=_half())
        main = w.HBox([own, known], layout=w.Layout(flex_flow="row wrap", flex="1 1 auto"))
        self.paint()
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-coherence-widgets")

    def _bound(self, kind: Any, name: str, **more: Any) -> Any:
        """A control that sets a parameter of the session and follows it."""
        parameter = self.session.param[name]
        control = kind(
            value=getattr(self.session, name), description=parameter.label,
            tooltip=parameter.doc, **more,
        )  # fmt: skip
        control.layout.width = "330px"
        control.add_class(f"wb-{name}")
        control.observe(lambda change: self.session.param.update(**{name: change["new"]}), "value")
        self.session.param.watch(lambda e: setattr(control, "value", e.new), [name])
        return control

    def _button(self, name: str, action: Callable[[], Any], style: str = "") -> w.Button:
        made = w.Button(description=name, button_style=style, layout=w.Layout(width="auto"))
        made.on_click(lambda _: self._guard(action))
        return made

    def start(self) -> None:
        """Measure the present choice, and follow it."""
        self.session.start()
        self.follow()

    def start_all(self) -> None:
        """The heat flow on the whole catalogue, and follow it."""
        self.session.start_all()
        self.follow()

    def paint(self) -> None:
        """Sentence, table and charts as the session has them."""
        s = self.session
        problem, defects, found = s.problem, s.defects(), s.found
        self.about.value = f"{STYLE}<span class='small'>{escape(problem.about)}</span>"
        self.sentence.value = coherence_words.sentence(s.heat, problem.truth, s.key, found)
        self.table.value = STYLE + coherence_words.table(defects, found)
        show_figure(self.bars, coherence_plots.bars(defects, s.key, self.dark, _BARS))
        show_figure(self.scatter, coherence_plots.foretold(s.points, self.dark, _SCATTER))
        self.points_words.value = STYLE + coherence_words.points_sentence(s.points, s.sweep)


def _half() -> w.Layout:
    return w.Layout(flex="1 1 460px", min_width="0")
