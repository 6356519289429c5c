"""The Explore screen in Panel: one layout for the served app and for a notebook cell."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.errors import WorkbenchError
from workbench.html import prose
from workbench.problem import Problem
from workbench.problem.codec import unzipped
from workbench.views import Given, inputs, plots, table, words
from workbench.views.about import about
from workbench.views.controls import Dial, label, settings_panel
from workbench.views.following import ByTicker
from workbench.views.inside_panel import Inside
from workbench.views.parts import (
    aside,
    button,
    download,
    figure_pane,
    load_extension,
    on_ground,
    show,
    text,
    upload,
)
from workbench.views.picker import picker
from workbench.views.position import POSITION
from workbench.views.roster import askable
from workbench.views.state import Session

PULL_MS = 160
OPEN = (
    "A problem of your own: a .zip of its card and tensors, as problem.save('mine.zip') or Save "
    "card makes it. It is then listed in all rooms."
)
_CHART_HEIGHT, _MARGIN_HEIGHT = 230, 340
_ASIDE = 0.12  # seconds that sampling leaves to a move: its closed forms and their painting
_FRAME = 0.04
_QUIET = 0.5  # seconds after a move in which the counts behind it are not painted


class Explore(ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
        bring: told of a problem whose card is opened; without it, it is listed here alone.
    """

    def __init__(
        self, session: Session, dark: bool = False,
        bring: Callable[[Problem], None] | None = None, **params: Any,
    ):  # fmt: skip
        super().__init__(**params)
        self.session, self.dark = session, dark
        self.bring = bring or session.bring
        self._picture: Any = None
        self._moved_at = 0.0
        self._turn = 0
        self._chart_due = False
        self._late: list[Callable[[], None]] = []
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        session.param.watch(self._on_move, [*POSITION, "settings"])  # first: before the dials
        self._build()
        session.param.watch(self._on_switch, ["problem_name"])
        session.param.watch(lambda _: self.settle(), ["direction", "seed"])
        session.param.watch(lambda _: self._paint_buttons(), ["running"])
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.picker = picker(s, lambda name: self.guard(lambda: self.choose(name)))
        self.about = text()
        self.pictures = text(margin=(8, 0, 2, 0))
        reach = s.shift_reach
        self.dials = {
            "sigma": Dial(s, "sigma", 0.25, 4.0, self.settle, log=True, unit="× D's scale"),
            "shift": Dial(s, "shift", -reach, reach, self.settle, unit="C: margin >"),
            "lean": Dial(s, "lean", -4.0, 4.0, self.settle, unit="standard deviations"),
            "budget": Dial(s, "budget", 1e3, 1e8, self.settle, log=True, unit="forward passes"),
        }
        self.direction = pn.widgets.RadioButtonGroup.from_param(
            s.param.direction, label="", sizing_mode="stretch_width", margin=(0, 0, 4, 0)
        )
        self.seed = pn.widgets.IntInput.from_param(
            s.param.seed, label="", width=136, margin=(0, 8, 0, 0), css_classes=["wb-seed"]
        )
        self.new_seed = button("New seed", lambda: s.new_seed(), self.guard)
        self.home = button("Back to the card", self._go_home, self.guard)
        self.run = button("Run", self.play, self.guard, "primary")
        self.hold = button("Pause", lambda: (s.pause(), self.pull()), self.guard)
        self.reset = button("Reset", self._reset, self.guard)
        self.ask = {
            entry.key: button(entry.title, self._asking(entry.key), self.guard)
            for entry in askable()
        }
        self.save = download("Save card", lambda: s.card_archive(), f"{s.problem_name}.zip")
        self.load = upload(".zip")
        self.load.param.watch(lambda e: self.guard(lambda: self._open(e.new)), "value")
        self.status = text(visible=False, css_classes=["wb-status"])
        self.fixed, self.uncountable = text(margin=(4, 0)), text()
        self.table = pn.widgets.StaticText(
            stylesheets=[table.TABLE_CSS],
            sizing_mode="stretch_width",
            margin=(6, 0),
            css_classes=["wb-estimates"],
        )
        self.unfit = pn.widgets.StaticText(  # of its own, so that it stays unfolded
            stylesheets=[table.TABLE_CSS], sizing_mode="stretch_width", margin=0
        )
        self.sentence = text(css_classes=["wb-sentence"], margin=(4, 0, 6, 0))
        self.truth = text(margin=(2, 0))
        self.caption = text(margin=(4, 0))
        self.chart = figure_pane(_CHART_HEIGHT)
        self.margin_chart = figure_pane(_MARGIN_HEIGHT)
        self.inside = Inside(s, self.dark, self.follow, self.settle, self.say)
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width", css_classes=["wb-explore"]
        )
        self.layout = on_ground(row, self.dark)

    def _controls(self) -> pn.Column:
        s = self.session
        return aside(
            label("Problem", s.param.problem_name.doc, "(D, M, C)"),
            self.picker,
            self.about,
            self.pictures,
            self.dials["sigma"].view,
            self.dials["shift"].view,
            self.dials["lean"].view,
            label("Direction", s.param.direction.doc, "in which the mean moves"),
            self.direction,
            self.fixed,
            self.dials["budget"].view,
            pn.Row(
                label("Seed", s.param.seed.doc), self.seed, self.new_seed,
                sizing_mode="stretch_width", margin=(4, 0, 0, 0),
            ),
            pn.FlexBox(self.home, self.save, gap="0", margin=(6, 0, 0, 0)),
            label("Open a card", OPEN, "a .zip with its tensors"),
            self.load,
            *settings_panel(s, self.settle, self.say),
        )  # fmt: skip

    def _main(self) -> pn.FlexBox:
        estimates = pn.Column(
            text("<h3>How likely is the catastrophe?</h3>"),
            self.chart,
            self.sentence,
            pn.FlexBox(
                text("Monte Carlo", width=92, sizing_mode=None, margin=(5, 0, 0, 0)),
                self.run, self.hold, self.reset, *self.ask.values(),
                gap="0", margin=(2, 0),
            ),
            self.uncountable,
            self.table,
            self.unfit,
            self.truth,
            self.status,
            styles={"flex": "1 1 600px", "min-width": "0"},
        )  # fmt: skip
        law = pn.Column(
            text("<h3>Where the margin falls</h3>"),
            self.margin_chart,
            self.caption,
            styles={"flex": "1 1 520px", "min-width": "0"},
        )
        inside = pn.Column(self.inside.view, styles={"flex": "1 1 100%", "min-width": "0"})
        return pn.FlexBox(estimates, law, inside, gap="12px 34px", sizing_mode="stretch_width")

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def play(self) -> None:
        """Let Monte Carlo count, make the rows that wait for rest, and follow them."""
        self.session.play()
        self._late.append(self._refresh)
        self.follow()

    def unasked(self) -> None:
        self.guard(self.session.play)
        self.guard(self.session.refresh)

    def pull(self) -> None:
        """Paint what is new and what was put off; called on a timer while there is any."""
        if time.perf_counter() - self._moved_at < _QUIET:
            return
        worker = self.session.worker
        busy, results = worker.busy, worker.results
        if self._late:  # one of them a tick, so that a slider never waits for all
            self._late.pop(0)()
        elif results is not self._seen:
            self._turn += 1
            self._paint_numbers(chart=self._turn % 5 == 0 or not busy)
            self._paint_buttons()
            self._seen = results
            if results.get("margins", {}).get("picture") not in (None, self._picture):
                self._late.append(self._paint_margin)
            self._late.append(self.inside.pull)
        if not busy and not self._late and results is self._seen and self.ticker.running:
            self.ticker.stop()

    def settle(self) -> None:
        """A slider has come to rest: sampling starts afresh; the costlier pictures follow soon."""
        self.guard(self.session.settle)
        self._paint_numbers(chart=False)
        self._late = [self._paint_side, self._paint_chart, self._paint_margin, self._refresh]
        self._late.append(self.inside.refresh)
        self.follow()

    def _refresh(self) -> None:
        """The deterministic rows that no slider can wait for, now that all is quiet."""
        self.guard(self.session.refresh)

    def _on_move(self, *_: Any) -> None:
        """While dragging: only what is cheap, and sampling stands aside until it is painted."""
        self.session.worker.give_way(_ASIDE)
        self._moved_at = time.perf_counter()
        self._paint_numbers(chart=False)
        self._chart_soon()

    def _on_switch(self, *_: Any) -> None:
        reach = self.session.shift_reach
        self.dials["shift"].reach(-reach, reach)
        self.save.filename = f"{self.session.problem_name}.zip"

    def choose(self, name: str) -> None:
        """Another problem, at its reference."""
        if name != self.session.problem_name:
            self.session.choose(name)
            self.settle()

    def _open(self, data: bytes | None) -> None:
        if data:
            problem = unzipped(data)
            self.bring(problem)
            self.choose(problem.name)

    def _go_home(self) -> None:
        self.session.choose(self.session.problem_name)
        self.settle()

    def _reset(self) -> None:
        self.session.reset()
        self.settle()

    def _asking(self, name: str) -> Callable[[], None]:
        def ask() -> None:
            self.session.toggle(name)
            self.follow()

        return ask

    def acted(self) -> None:
        """After an action only the buttons: the rest follows when the sliders rest."""
        self._paint_buttons()

    def paint(self) -> None:
        """Everything, as the session has it."""
        self._paint_side()
        self._paint_buttons()
        self._paint_numbers()
        self._paint_margin()

    def _paint_buttons(self) -> None:
        self.offer_buttons()
        why = self.session.uncountable
        self.uncountable.param.update(value=f"<span class='small'>{why}</span>", visible=bool(why))
        for row in self.session.rows():
            if row.key in self.ask:
                said, asked = self.session.offer(row), self.ask[row.key]
                if (asked.label, asked.visible) != (said, bool(said)):
                    asked.param.update(label=said, visible=bool(said))

    def _paint_numbers(self, chart: bool = True) -> None:
        """The table first: it is what a reader's eye is on while dragging."""
        s = self.session
        rows, truth = s.rows(), s.truth
        self.table.value = table.table(rows, truth, s.marked)
        self.unfit.value = table.refused(rows, s.marked)
        self.sentence.value = words.sentence(rows, truth, s.budget, not s.uncountable)
        if chart:
            self._paint_chart()

    def _chart_soon(self) -> None:
        """The chart one frame after the numbers, and once for a burst of moves."""
        if self._chart_due:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a plain script: nothing can wait
            self._paint_chart()
            return
        self._chart_due = True
        loop.call_later(_FRAME, self._paint_chart)

    def _paint_chart(self) -> None:
        self._chart_due = False
        truth = self.session.truth
        known = None if truth is None else (truth.log10_p, truth.se_log10)
        show(self.chart, plots.estimates(self.session.rows(), known, self.dark, _CHART_HEIGHT))

    def _paint_side(self) -> None:
        s = self.session
        reference = s.reference
        self.fixed.param.update(value=words.fixed_words(s.fixed), visible=bool(s.fixed))
        for name in ("sigma", "lean"):
            self.dials[name].enable(name not in s.fixed)
        self.direction.disabled = "lean" in s.fixed
        has_truth = reference.truth is not None
        said = words.truth_words(s.truth, s.at_reference, has_truth)
        self.truth.value = f"<span class='small'>{said}</span>"
        shown, self.pictures.value = reference, ""
        with contextlib.suppress(WorkbenchError):  # the rows say why
            shown = s.problem
            self.pictures.value = inputs.picture(shown, s.seed)
        self.about.value = about(shown)
        self.pictures.visible = bool(self.pictures.value)

    def _paint_margin(self) -> None:
        if self.session.picture_is_coming:
            return  # `pull` paints it when it is there
        try:
            self._picture = picture = self.session.margin_picture()
        except WorkbenchError as error:
            self.caption.value = f"<span class='small'>{prose(str(error))}</span>"
            return
        figure = plots.margin(picture, self.dark, _MARGIN_HEIGHT)
        self.margin_chart.visible = bool(figure["data"])
        show(self.margin_chart, figure)
        self.caption.value = words.margin_sentence(picture)


def explore(problem: Given | None = None, dark: bool = False, **state: Any) -> Explore:
    """The screen for a notebook cell; it samples only when asked.

    Args:
        problem: a catalogue name, the path of a card, or a Problem; the digits by default.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `sigma=1.5, seed=3`.
    """
    load_extension()
    return Explore(Session(problem, **state), dark=dark)
