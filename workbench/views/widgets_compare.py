"""The Compare screen in ipywidgets: the same session, without Panel."""

import base64
import contextlib
from typing import Any

import ipywidgets as w

from workbench.errors import WorkbenchError
from workbench.views import compare_plots, compare_words
from workbench.views.compare_actions import Pressed
from workbench.views.compare_session import CompareSession
from workbench.views.compare_table import table
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.live_widget import LiveHTML
from workbench.views.state import Session
from workbench.views.widget_parts import STYLE, aside, bound, button, half, settings_panel, wear
from workbench.views.widgets import ExploreWidgets

_HEIGHT = 300
_WIDE = "300px"


class CompareWidgets(Pressed, ByTask, w.VBox):
    """Pickers, table and charts on a session; nothing runs before it is asked to.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: CompareSession, dark: bool = False):
        self.session, self.dark = session, dark
        self._explore: Session | None = None
        self._build()
        watched = ["problems", "estimators", "budget", "seeds", "settings", "shown"]
        session.param.watch(lambda *_: self.paint(), watched)
        controls = aside(
            [w.HTML("<b>Problems</b>"), self.problems, self.budget, self.seeds,
             w.HBox([self.run, self.hold, self.reset]), w.HTML("<b>Estimators</b>"),
             self.estimators, self.files,
             settings_panel(session, self.guard)],
        )  # fmt: skip
        charts = [
            w.VBox([w.HTML("<b>Error against forward passes</b>"), self.picker, self.errors,
                    self.error_words], layout=half()),
            w.VBox([w.HTML("<b>Claimed against actual error</b>"), self.claims, self.claim_words],
                   layout=half()),
        ]  # fmt: skip
        main = w.VBox(
            [self.status, self.table, w.HBox(charts, layout=w.Layout(flex_flow="row wrap"))],
            layout=w.Layout(flex="1 1 auto", min_width="0"),
        )
        self.below = w.VBox([])
        self.paint()
        super().__init__([w.HBox([controls, main]), self.below])
        self.add_class("wb-compare-widgets")
        wear(self, dark)

    def _build(self) -> None:
        s = self.session
        names = list(s.param.problems.objects)
        titles = [(entry.title, key) for key, entry in s.entries.items()]
        self.problems = self._bound(
            w.SelectMultiple, "problems", options=names, rows=10, to_widget=tuple, to_session=list
        )
        self.estimators = self._bound(
            w.SelectMultiple, "estimators", options=titles, rows=min(14, len(titles)),
            to_widget=tuple, to_session=list,
        )  # fmt: skip
        for control in (self.problems, self.estimators):
            control.layout.width = _WIDE
        self.budget = self._bound(w.BoundedIntText, "budget", min=100, max=10**9, step=1000)
        self.seeds = self._bound(w.BoundedIntText, "seeds", min=1, max=1000)
        self.picker = w.Dropdown(options=list(s.problems), description="errors on")
        self.picker.observe(self._pick, "value")
        s.param.watch(lambda *_: self._reselect(), ["shown", "problems"])
        self.run = button("Run", self.start, self.guard, "primary")
        self.hold = button("Stop", s.stop, self.guard)
        self.reset = button("Clear", s.clear, self.guard)
        self.files = w.HTML()
        self.status = w.HTML()
        self.table = LiveHTML(self.press)
        self.errors, self.claims = empty_figure(_HEIGHT), empty_figure(_HEIGHT)
        self.error_words, self.claim_words = w.HTML(), w.HTML()

    def _bound(self, kind: Any, name: str, **more: Any) -> Any:
        return bound(self.session, kind, name, self.guard, **more)

    def _pick(self, change: dict[str, Any]) -> None:
        if change["new"] in self.session.problems:
            self.session.shown = change["new"]

    def _reselect(self) -> None:
        if tuple(self.picker.options) != tuple(self.session.problems):
            self.picker.options = list(self.session.problems)
        charted = self.session.charted
        self.picker.value = charted.name if charted else None

    def open_cell(self, name: str, key: str) -> None:
        """A cell in the Explore screen, under the charts."""
        s = self.session
        if self._explore is None:
            self._explore = Session(s.problem(name))
            self.below.children = [ExploreWidgets(self._explore, self.dark)]
        self._explore.open(s.problem(name), key, s.budget, s.settings)
        self.below.children[0].follow()

    def paint(self) -> None:
        """Table, charts and sentences as the session has them."""
        s = self.session
        cells = s.cells()
        problems = [s.problem(name) for name in s.problems]
        self.table.html = table(cells, problems, self.recipe)
        self.files.value = _links(s) if not s.running else ""
        shown = s.charted
        truth = None if shown is None or shown.truth is None else shown.truth.log10_p
        runs = compare_plots.of_cells(cells, shown.name if shown else "")
        every = compare_plots.of_cells(cells)
        show_figure(
            self.errors, compare_plots.error_against_forwards(runs, truth, self.dark, _HEIGHT)
        )
        show_figure(self.claims, compare_plots.calibration(every, self.dark, _HEIGHT))
        self.error_words.value = STYLE + compare_words.error_sentence(cells, shown, s.budget)
        self.claim_words.value = STYLE + compare_words.calibration_sentence(cells)
        self.offer_buttons()


def _links(session: CompareSession) -> str:
    """The runs as links to save: a notebook's kernel cannot send a file."""
    files = {"csv": session.csv().encode()}
    with contextlib.suppress(WorkbenchError):  # without pyarrow there is no Parquet to offer
        files["parquet"] = session.parquet()
    return " · ".join(
        f"<a download='comparison.{kind}' href='data:application/octet-stream;base64,"
        f"{base64.b64encode(data).decode()}'>Save {kind}</a>"
        for kind, data in files.items()
    )
