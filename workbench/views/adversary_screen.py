"""The Adversary screen in Panel: one layout for the served app and for a notebook cell."""

from typing import Any

import panel as pn

from workbench.distributions import Sequences
from workbench.problem import Problem
from workbench.views import Given
from workbench.views import adversary_pictures as looks
from workbench.views import adversary_plots as plots
from workbench.views import adversary_words as words
from workbench.views.about import about
from workbench.views.acts import AdversaryActs
from workbench.views.adversary_search import UNITS, adjustable
from workbench.views.adversary_session import AdversarySession
from workbench.views.controls import Dial, label, settings_panel
from workbench.views.following import ByTicker
from workbench.views.parts import (
    aside,
    button,
    figure_pane,
    hint,
    load_extension,
    on_ground,
    text,
)
from workbench.views.picker import picker
from workbench.views.toolbar import Toolbar

PULL_MS = 200
_CHART, _FRONTIER, _PICTURE, _GAIN = 290, 340, 420, 220


class AdversaryScreen(AdversaryActs, ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, session: AdversarySession, dark: bool = False, **params: Any):
        super().__init__(**params)
        self.session, self.dark = session, dark
        self._pictured: Any = None
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self._build()
        session.param.watch(lambda *_: self._chosen(), [*session.steers])
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.picker = picker(s, self.choose)
        self.choices = {name: self._choice(name) for name in ("family", "region", "by")}
        self.limit = Dial(s, "limit", 0.01, 64.0, lambda: None, log=True)
        self.unit = text()
        self.seed = pn.widgets.IntInput.from_param(
            s.param.seed, label="", width=118, margin=0, css_classes=["wb-seed"]
        )
        self.status = text(visible=False, css_classes=["wb-status"])
        self.toolbar = Toolbar(s.stepping, self.guard, self.follow, lambda: s.stale)
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
            made.description = hint(said)
        self.proposal_words = text(margin=(4, 0))
        self.about = text()
        self.course, self.frontier = figure_pane(_CHART), figure_pane(_FRONTIER)
        self.gain = figure_pane(_GAIN)
        self.picture = figure_pane(_PICTURE)
        self.gallery = text(css_classes=["wb-gallery"])
        self.course_words = text(css_classes=["wb-sentence"], margin=(4, 0, 10, 0))
        self.frontier_words, self.picture_words = text(margin=(4, 0)), text(margin=(4, 0))
        self.table = text(css_classes=["wb-pins"], margin=(6, 0))
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width",
            css_classes=["wb-adversary"],
        )  # fmt: skip
        self.layout = on_ground(row, self.dark)

    def _choice(self, name: str) -> pn.widgets.Select:
        return pn.widgets.Select.from_param(
            self.session.param[name], label="", sizing_mode="stretch_width", margin=(2, 0, 4, 0),
            css_classes=[f"wb-{name}"],
        )  # fmt: skip

    def _controls(self) -> pn.Column:
        p = self.session.param
        return aside(
            label("Problem", p.problem_name.doc, "(D₀, M, C)"),
            self.picker,
            self.about,
            label("Family", p.family.doc, "how D may differ from D₀"),
            self.choices["family"],
            label("Trust region", p.region.doc),
            self.choices["region"],
            self.limit.view,
            self.unit,
            label("Estimator", p.by.doc, "whose gradient is followed"),
            self.choices["by"],
            pn.Row(
                label("Seed", p.seed.doc), self.seed, sizing_mode="stretch_width",
                margin=(4, 0, 0, 0),
            ),
            *settings_panel(
                self.session, lambda: None, self.say, adjustable(), "Settings of the search"
            ),
        )  # fmt: skip

    def _main(self) -> pn.Column:
        middle = pn.Column(
            text("<h3>How likely has C become?</h3>"),
            self.course, self.course_words,
            text("<h3>What does failure cost?</h3>"),
            self.frontier, self.frontier_words, self.proposal_words,
            text("<h3>What is a nat worth?</h3>"),
            self.gain, self.table,
            styles={"flex": "1.3 1 440px", "min-width": "0"},
        )  # fmt: skip
        right = pn.Column(
            text("<h3>What D looks like</h3>"),
            self.gallery, self.picture, self.picture_words,
            styles={"flex": "1 1 340px", "min-width": "0"},
        )  # fmt: skip
        return pn.Column(
            self.toolbar.view,
            pn.FlexBox(
                self.check, self.propose, self.challenge, self.pin, self.unpin, gap="0", margin=0
            ),
            self.status,
            pn.FlexBox(middle, right, gap="12px 34px", sizing_mode="stretch_width"),
            styles={"flex": "1 1 600px", "min-width": "0"},
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def choose(self, name: str) -> None:
        """Another problem."""
        self.session.param.update(problem_name=name)

    def paint(self) -> None:
        """Sentences, charts and pictures as the session has them."""
        s = self.session
        attack = s.attack
        problem = s.problem if attack is None else attack.problem
        self.about.value = about(s.problem)
        self.unit.value = f"<span class='small'>{UNITS[s.region]}</span>"
        self.toolbar.paint()
        by = s.by_shown
        self.course.object = plots.course(s.rows, s.checks, by, problem, self.dark, _CHART)
        self.frontier.object = plots.frontier(
            attack, s.checks, s.pins, by, problem, s.rows, s.rivals, self.dark, _FRONTIER
        )
        self.gain.object = plots.gain(attack, s.checks, s.pins, by, self.dark, _GAIN)
        self.course_words.value = words.course_sentence(s)
        shown = attack if s.checked is None else s.checked.attack
        self.frontier_words.value = words.frontier_sentence(shown, s.pins)
        self.proposal_words.value = words.proposal_sentence(s)
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
        html = looks.inputs(problem, d, seed, nearest, self.session.texts)
        self.gallery.visible = bool(html)
        self.gallery.value = html
        self.picture.visible = not isinstance(problem.distribution, Sequences)
        self.picture.height = _PICTURE if problem.distribution.dim == 2 else _CHART
        if not self.picture.visible:
            pass
        elif problem.distribution.dim == 2:
            self.picture.object = looks.plane(problem, d, self.dark, _PICTURE, nearest)
        else:
            self.picture.object = looks.coordinates(problem, d, self.dark, _CHART)
        self.picture_words.value = words.picture_sentence(problem, attack, check)


def adversary(problem: Given | None = None, dark: bool = False, **state: Any) -> AdversaryScreen:
    """The screen for a notebook cell; it searches only when asked.

    Args:
        problem: a catalogue name, the path of a card, or a Problem; the digits by default.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `limit=8.0, by="moments"`.
    """
    load_extension()
    return AdversaryScreen(AdversarySession(problem, **state), dark=dark)
