"""The Coherence screen in Panel: one layout for the served app and for a notebook cell."""

from typing import Any

import panel as pn

from workbench.views import Given, coherence_plots, coherence_words
from workbench.views.about import about
from workbench.views.acts import CoherenceActs
from workbench.views.coherence_session import CoherenceSession, entries
from workbench.views.controls import label
from workbench.views.following import ByTicker
from workbench.views.parts import aside, button, figure_pane, load_extension, on_ground, text
from workbench.views.picker import picker
from workbench.views.table import TABLE_CSS

PULL_MS = 200
_BARS, _SCATTER = 270, 360
_CSS = TABLE_CSS + ".wb-table .l { white-space: normal; } .small { font-size: 12px; opacity: .72; }"


class Coherence(CoherenceActs, ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, session: CoherenceSession, dark: bool = False, **params: Any):
        super().__init__(**params)
        self.session, self.dark = session, dark
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self._build()
        session.param.watch(lambda *_: self._chosen(), ["problem_name", "key", "probes"])
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.picker = picker(s, self.choose)
        titles = {entry.title: key for key, entry in entries().items()}
        self.method = pn.widgets.Select(
            options=titles, value=s.key, sizing_mode="stretch_width", margin=(2, 0, 4, 0),
            css_classes=["wb-key"],
        )  # fmt: skip
        self.method.param.watch(lambda e: s.param.update(key=e.new), "value")
        self.probes = pn.widgets.IntInput.from_param(
            s.param.probes, label="", width=118, margin=0, css_classes=["wb-probes"]
        )
        self.run = button("Measure", self.start, self.guard, "primary")
        self.all = button("Whole catalogue", self.start_all, self.guard)
        self.hold = button("Stop", s.stop, self.guard)
        self.about, self.sentence = text(), text(css_classes=["wb-sentence"], margin=(4, 0, 8, 0))
        self.status = text(visible=False, css_classes=["wb-status"])
        self.points_words = text(margin=(4, 0))
        self.table = pn.widgets.StaticText(
            stylesheets=[_CSS], sizing_mode="stretch_width", margin=(6, 0),
            css_classes=["wb-defects"],
        )  # fmt: skip
        self.bars, self.scatter = figure_pane(_BARS, 0.36), figure_pane(_SCATTER, 0.66)
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width",
            css_classes=["wb-coherence"],
        )  # fmt: skip
        self.layout = on_ground(row, self.dark)

    def _controls(self) -> pn.Column:
        s = self.session
        return aside(
            label("Problem", s.param.problem_name.doc, "(D, M, C)"),
            self.picker,
            self.about,
            label("Estimator", s.param.key.doc, "deterministic"),
            self.method,
            pn.Row(
                label("Probes", s.param.probes.doc, "0: all directions"), self.probes,
                sizing_mode="stretch_width", margin=(4, 0, 0, 0),
            ),
            pn.FlexBox(self.run, self.hold, self.all, gap="0", margin=(8, 0, 0, 0)),
        )  # fmt: skip

    def _main(self) -> pn.FlexBox:
        own = pn.Column(
            text("<h3>Does the estimate contradict itself?</h3>"),
            self.sentence, self.bars, self.table, self.status,
            styles={"flex": "1 1 600px", "min-width": "0"},
        )  # fmt: skip
        known = pn.Column(
            text("<h3>Does the defect predict the error?</h3>"),
            self.scatter,
            self.points_words,
            styles={"flex": "1 1 520px", "min-width": "0"},
        )
        return pn.FlexBox(own, known, gap="12px 34px", sizing_mode="stretch_width")

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def choose(self, name: str) -> None:
        """Another problem."""
        self.session.param.update(problem_name=name)

    def _chosen(self) -> None:
        self.method.value = self.session.key
        self.guard(self.start)

    def paint(self) -> None:
        """Sentence, table and charts as the session has them."""
        s = self.session
        problem, defects, found = s.problem, s.defects(), s.found
        self.about.value = about(problem)
        self.sentence.value = coherence_words.sentence(s.heat, problem.truth, s.key, found)
        self.table.value = coherence_words.table(defects, found)
        self.bars.object = coherence_plots.bars(defects, s.key, self.dark, _BARS)
        self.scatter.object = coherence_plots.foretold(s.points, self.dark, _SCATTER)
        self.points_words.value = coherence_words.points_sentence(s.points, s.sweep)
        self.offer_buttons()


def coherence(problem: Given | None = None, dark: bool = False, **state: Any) -> Coherence:
    """The screen for a notebook cell; it measures only when asked.

    Args:
        problem: a catalogue name, the path of a card, or a Problem; the digits by default.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `key="moments_mean", probes=8`.
    """
    load_extension()
    return Coherence(CoherenceSession(problem, **state), dark=dark)
