"""The Coherence screen in ipywidgets: the same session, without Panel."""

import ipywidgets as w

from workbench.views import coherence_plots, coherence_words
from workbench.views.about import about
from workbench.views.acts import CoherenceActs
from workbench.views.coherence_session import CoherenceSession, entries
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.widget_parts import STYLE, aside, bound, button, half, wear

_BARS, _SCATTER = 270, 340


class CoherenceWidgets(CoherenceActs, ByTask, w.VBox):
    """Pickers, table and charts on a session; nothing is measured before it is asked for.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: CoherenceSession, dark: bool = False):
        self.session, self.dark = session, dark
        titles = [(entry.title, key) for key, entry in entries().items()]
        names = list(session.param.problem_name.objects)
        self.problem = bound(session, w.Dropdown, "problem_name", self.guard, options=names)
        self.method = bound(session, w.Dropdown, "key", self.guard, options=titles)
        self.probes = bound(session, w.BoundedIntText, "probes", self.guard, min=0, max=10_000)
        self.run = button("Measure", self.start, self.guard, "primary")
        self.hold = button("Stop", session.stop, self.guard)
        self.all = button("Whole catalogue", self.start_all, self.guard)
        self.about, self.sentence, self.table = w.HTML(), w.HTML(), w.HTML()
        self.status, self.points_words = w.HTML(), w.HTML()
        self.bars, self.scatter = empty_figure(_BARS), empty_figure(_SCATTER)
        session.param.watch(lambda *_: self.paint(), ["problem_name", "key", "probes"])
        controls = aside(
            [self.problem, self.about, self.method, self.probes,
             w.HBox([self.run, self.hold, self.all])],
        )  # fmt: skip
        own = w.VBox([self.sentence, self.bars, self.table, self.status], layout=half())
        known = w.VBox([self.scatter, self.points_words], layout=half())
        main = w.HBox([own, known], layout=w.Layout(flex_flow="row wrap", flex="1 1 auto"))
        self.paint()
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-coherence-widgets")
        wear(self, dark)

    def paint(self) -> None:
        """Sentence, table and charts as the session has them."""
        s = self.session
        problem, defects, found = s.problem, s.defects(), s.found
        self.about.value = STYLE + about(problem)
        self.sentence.value = coherence_words.sentence(s.heat, problem.truth, s.key, found)
        self.table.value = STYLE + coherence_words.table(defects, found)
        show_figure(self.bars, coherence_plots.bars(defects, s.key, self.dark, _BARS))
        show_figure(self.scatter, coherence_plots.foretold(s.points, self.dark, _SCATTER))
        self.points_words.value = STYLE + coherence_words.points_sentence(s.points, s.sweep)
        self.offer_buttons()
