"""The Compare screen in Panel: one layout for the served app and for a notebook cell."""

import io
from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.views import Given, compare_plots, compare_words
from workbench.views.compare_actions import Pressed
from workbench.views.compare_session import CompareSession
from workbench.views.compare_table import table
from workbench.views.controls import Dial, label, settings_panel
from workbench.views.following import ByTicker
from workbench.views.live_panel import LiveHTML
from workbench.views.parts import (
    aside,
    button,
    download,
    figure_pane,
    load_extension,
    on_ground,
    text,
)
from workbench.views.screen import Explore
from workbench.views.state import Session

PULL_MS = 250
_HEIGHT = 320
_LIST_CSS = ".bk-input-group { gap: 0; } .bk-input-group label { padding: 1px 0; font-size: 13px; }"


class Compare(Pressed, ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
        open_cell: told (problem, row, session) of a cell that is pressed; without it Explore opens
            under the charts.
    """

    def __init__(
        self,
        session: CompareSession,
        dark: bool = False,
        open_cell: Callable[[str, str, CompareSession], None] | None = None,
        **params: Any,
    ):
        super().__init__(**params)
        self.session, self.dark = session, dark
        elsewhere = open_cell or self._open_below
        self.open_cell = lambda name, key: elsewhere(name, key, session)
        self.opened: Session | None = None
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self._build()
        watched = ["problems", "estimators", "budget", "seeds", "settings", "shown"]
        session.param.watch(lambda *_: self.paint(), watched)
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.problems = pn.widgets.MultiChoice.from_param(
            s.param.problems, label="", sizing_mode="stretch_width", margin=(2, 0, 4, 0),
            css_classes=["wb-problems"],
        )  # fmt: skip
        titles = {entry.title: key for key, entry in s.entries.items()}
        self.estimators = pn.widgets.CheckBoxGroup(
            options=titles, value=list(s.estimators), margin=(2, 0, 4, 0),
            css_classes=["wb-estimators"], stylesheets=[_LIST_CSS],
        )  # fmt: skip
        self.estimators.param.watch(lambda e: s.param.update(estimators=e.new), "value")
        s.param.watch(lambda e: self.estimators.param.update(value=list(e.new)), ["estimators"])
        self.budget = Dial(s, "budget", 1e3, 1e8, lambda: None, log=True, unit="forward passes")
        self.seeds = pn.widgets.IntInput.from_param(
            s.param.seeds, label="", width=118, margin=0, css_classes=["wb-seeds"]
        )
        self.run = button("Run", self.start, self.guard, "primary")
        self.hold = button("Stop", s.stop, self.guard)
        self.reset = button("Clear", s.clear, self.guard)
        self.files = [
            download(name, callback, f"comparison.{kind}", css_classes=[f"wb-{kind}"])
            for name, kind, callback in (
                ("Save CSV", "csv", lambda: io.BytesIO(s.csv().encode())),
                ("Save Parquet", "parquet", lambda: io.BytesIO(s.parquet())),
            )
        ]  # fmt: skip
        self.status = text(visible=False, css_classes=["wb-status"])
        self.table = LiveHTML(self.press, sizing_mode="stretch_width", css_classes=["wb-compare"])
        self.picker = pn.widgets.Select(
            options=list(s.problems), width=220, margin=(0, 0, 0, 8), css_classes=["wb-shown"]
        )
        self.picker.param.watch(lambda e: s.param.update(shown=e.new or ""), "value")
        self.errors, self.claims = figure_pane(_HEIGHT), figure_pane(_HEIGHT)
        self.error_words, self.claim_words = text(margin=(4, 0)), text(margin=(4, 0))
        self.below = pn.Column(sizing_mode="stretch_width", margin=0)
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width",
            css_classes=["wb-compare-screen"],
        )  # fmt: skip
        self.layout = on_ground(row, self.dark)

    def _controls(self) -> pn.Column:
        s = self.session
        return aside(
            label("Problems", s.param.problems.doc, "(D, M, C)"),
            self.problems,
            self.budget.view,
            pn.Row(
                label("Seeds", s.param.seeds.doc, "runs per estimator"), self.seeds,
                sizing_mode="stretch_width", margin=(4, 0, 0, 0),
            ),
            pn.FlexBox(self.run, self.hold, self.reset, gap="0", margin=(8, 0, 0, 0)),
            label("Estimators", s.param.estimators.doc),
            self.estimators,
            pn.FlexBox(*self.files, gap="0", margin=0),
            *settings_panel(s, lambda: None, self.say),
        )  # fmt: skip

    def _main(self) -> pn.Column:
        errors = pn.Column(
            pn.Row(text("<h3>Error against forward passes</h3>", width=230, sizing_mode=None,
                        margin=(6, 0, 0, 0)), self.picker, margin=0),
            self.errors, self.error_words,
            styles={"flex": "1 1 520px", "min-width": "0"},
        )  # fmt: skip
        claims = pn.Column(
            text("<h3>Claimed against actual error</h3>", margin=(6, 0, 12, 0)),
            self.claims,
            self.claim_words,
            styles={"flex": "1 1 520px", "min-width": "0"},
        )
        charts = pn.FlexBox(errors, claims, gap="12px 34px", sizing_mode="stretch_width")
        return pn.Column(
            text("<h3>Which estimators are right, and at what cost?</h3>"),
            self.status, self.table, pn.Spacer(height=18), charts, self.below,
            styles={"flex": "1 1 600px", "min-width": "0"},
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def _open_below(self, name: str, key: str, session: CompareSession) -> None:
        if self.opened is None:
            self.opened = Session(session.problem(name))
            self.below[:] = [Explore(self.opened, dark=self.dark)]
        self.opened.open(session.problem(name), key, session.budget, session.settings)

    def paint(self) -> None:
        """Table, charts and sentences as the session has them."""
        s = self.session
        cells = s.cells()
        problems = [s.problem(name) for name in s.problems]
        chosen = s.charted.name if s.charted else None
        self.picker.param.update(options=list(s.problems), value=chosen)
        self.table.html = table(cells, problems, self.recipe)
        shown = s.charted
        truth = None if shown is None or shown.truth is None else shown.truth.log10_p
        runs = compare_plots.of_cells(cells, shown.name if shown else "")
        every = compare_plots.of_cells(cells)
        self.errors.object = compare_plots.error_against_forwards(runs, truth, self.dark, _HEIGHT)
        self.claims.object = compare_plots.calibration(every, self.dark, _HEIGHT)
        self.error_words.value = compare_words.error_sentence(cells, shown, s.budget)
        self.claim_words.value = compare_words.calibration_sentence(cells)
        self.offer_buttons()


def compare(problems: Given | None = None, dark: bool = False, **state: Any) -> Compare:
    """The screen for a notebook cell; it runs only when asked.

    Args:
        problems: catalogue names, paths of cards, or Problems.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `budget=20_000, seeds=20`.
    """
    load_extension()
    return Compare(CompareSession(problems, **state), dark=dark)
