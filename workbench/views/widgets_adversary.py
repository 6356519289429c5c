"""The Adversary screen in ipywidgets: the same session, without Panel."""

from typing import Any

import ipywidgets as w

from workbench.distributions import Sequences
from workbench.problem import Problem
from workbench.views import adversary_pictures as looks
from workbench.views import adversary_plots as plots
from workbench.views import adversary_words as words
from workbench.views.about import about
from workbench.views.acts import AdversaryActs
from workbench.views.adversary_search import UNITS, adjustable
from workbench.views.adversary_session import AdversarySession
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.toolbar_widgets import ToolbarWidgets
from workbench.views.widget_parts import (
    STYLE,
    aside,
    bound,
    button,
    half,
    listed,
    settings_panel,
    wear,
)

_CHART, _FRONTIER, _PICTURE, _GAIN = 280, 330, 400, 220


class AdversaryWidgets(AdversaryActs, ByTask, w.VBox):
    """Controls, toolbar and charts on a session; nothing is searched before it is asked for.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: AdversarySession, dark: bool = False):
        self.session, self.dark = session, dark
        self._pictured: Any = None
        self._build()
        session.param.watch(lambda *_: self._chosen(), [*session.steers])
        session.param.watch(
            lambda event: setattr(self.choices["problem_name"], "options", list(event.new)),
            "problem_name", what="objects",
        )  # fmt: skip
        controls = aside(
            [*self.choices.values(), self.limit, self.unit, self.seed, self.about,
             settings_panel(session, self.guard, adjustable(), "Settings of the search")],
        )  # fmt: skip
        middle = w.VBox(
            [w.HTML("<b>How likely has C become?</b>"), self.course, self.course_words,
             w.HTML("<b>What does failure cost?</b>"), self.frontier, self.frontier_words,
             self.proposal_words, w.HTML("<b>What is a nat worth?</b>"), self.gain,
             self.table], layout=half(),
        )  # fmt: skip
        right = w.VBox(
            [w.HTML("<b>What D looks like</b>"), self.gallery, self.frame, self.picture_words],
            layout=half(),
        )
        buttons = w.HBox([self.check, self.propose, self.challenge, self.pin, self.unpin])
        charts = w.HBox([middle, right], layout=w.Layout(flex_flow="row wrap"))
        main = w.VBox(
            [self.toolbar.view, buttons, self.status, charts],
            layout=w.Layout(flex="1 1 auto", min_width="0"),
        )
        self.paint()
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-adversary-widgets")
        wear(self, dark)

    def _build(self) -> None:
        s = self.session
        self.choices = {
            name: bound(s, w.Dropdown, name, self.guard, options=listed(s.param[name]))
            for name in ("problem_name", "family", "region", "by")
        }
        self.limit = bound(
            s, w.FloatLogSlider, "limit", self.guard,
            to_session=lambda value: float(f"{value:.2g}"), base=2, min=-6.64, max=6, step=0.02,
            readout_format=".2g",
        )  # fmt: skip
        self.seed = bound(s, w.BoundedIntText, "seed", self.guard, min=0, max=2**31 - 1)
        self.toolbar = ToolbarWidgets(s.stepping, self.guard, self.follow, lambda: s.stale)
        self.pin = button("Pin", s.pin, self.guard)
        self.unpin = button("Unpin all", s.unpin, self.guard)
        self.check = button("Check now", self._check, self.guard)
        self.propose = button("Use as proposal", self._doing(s.propose), self.guard)
        self.challenge = button("Baselines", self._doing(s.challenge), self.guard)
        for made, said in (
            (self.check, words.CHECK),
            (self.propose, words.PROPOSE),
            (self.challenge, words.CHALLENGE),
            (self.pin, words.PIN),
        ):
            made.tooltip = said
        self.proposal_words = w.HTML()
        self.about, self.unit, self.status, self.table, self.gallery = (w.HTML() for _ in range(5))
        self.course_words, self.frontier_words, self.picture_words = (w.HTML() for _ in range(3))
        self.course, self.frontier = empty_figure(_CHART), empty_figure(_FRONTIER)
        self.picture, self.gain = empty_figure(_CHART), empty_figure(_GAIN)
        self.frame = w.VBox([self.picture])

    def paint(self) -> None:
        """Sentences, charts and pictures as the session has them."""
        s = self.session
        attack = s.attack
        problem = s.problem if attack is None else attack.problem
        self.about.value = STYLE + about(s.problem)
        self.unit.value = f"{STYLE}<span class='small'>{UNITS[s.region]}</span>"
        self.toolbar.paint()
        by = s.by_shown
        show_figure(self.course, plots.course(s.rows, s.checks, by, problem, self.dark, _CHART))
        show_figure(
            self.frontier,
            plots.frontier(
                attack, s.checks, s.pins, by, problem, s.rows, s.rivals, self.dark, _FRONTIER
            ),
        )
        gain = plots.gain(attack, s.checks, s.pins, by, self.dark, _GAIN)
        show_figure(self.gain, gain)
        self.course_words.value = STYLE + words.course_sentence(s)
        shown = attack if s.checked is None else s.checked.attack
        self.frontier_words.value = STYLE + words.frontier_sentence(shown, s.pins)
        self.proposal_words.value = STYLE + words.proposal_sentence(s)
        self.table.value = words.table(s.pins, s)
        self.offer_buttons()
        shown = s.checked or attack or problem
        if self._pictured is not shown:
            self._paint_picture(problem)
            self._pictured = shown

    def _paint_picture(self, problem: Problem) -> None:
        attack, seed, check = self.session.attack, self.session.seed, self.session.checked
        nearest = None if check is None else check.nearest
        d = None if attack is None else attack.distribution
        self.gallery.value = STYLE + looks.inputs(problem, d, seed, nearest, self.session.texts)
        text = isinstance(problem.distribution, Sequences)
        self.frame.layout.display = "none" if text else None
        if text:
            pass
        elif problem.distribution.dim == 2:
            show_figure(self.picture, looks.plane(problem, d, self.dark, _PICTURE, nearest))
        else:
            show_figure(self.picture, looks.coordinates(problem, d, self.dark, _CHART))
        self.picture_words.value = STYLE + words.picture_sentence(problem, attack, check)
