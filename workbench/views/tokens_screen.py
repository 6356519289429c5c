"""The Tokens screen in Panel: one layout for the served app and for a notebook cell."""

from typing import Any

import panel as pn

from workbench.views import Given, table, token_pictures, tokens_words
from workbench.views.about import about
from workbench.views.acts import TokensActs
from workbench.views.controls import Dial, label
from workbench.views.following import ByTicker
from workbench.views.parts import aside, button, figure_pane, load_extension, on_ground, show, text
from workbench.views.picker import picker
from workbench.views.plots import estimates
from workbench.views.tokens_plots import worth
from workbench.views.tokens_session import LEVELS, TokensSession

PULL_MS = 200
_WORTH, _ESTIMATES = 270, 230


class TokensScreen(TokensActs, ByTicker, pn.viewable.Viewer):
    """The screen on a session.

    Args:
        session: the state; closed by whoever made it.
        dark: whether the ground is dark.
    """

    def __init__(self, session: TokensSession, dark: bool = False, **params: Any):
        super().__init__(**params)
        self.session, self.dark = session, dark
        self.ticker = pn.state.add_periodic_callback(self.pull, period=PULL_MS, start=False)
        self._build()
        session.param.watch(lambda *_: self._tilted(), ["nats"])
        session.param.watch(lambda *_: self._chosen(), ["problem_name", "seed"])
        self.picture()
        self.paint()

    def _build(self) -> None:
        s = self.session
        self.picker = picker(s, self.choose)
        self.tilt = pn.widgets.DiscreteSlider(
            label="", options={f"{n:g} nats": n for n in LEVELS}, value=s.nats,
            sizing_mode="stretch_width", margin=(0, 8, 4, 8), css_classes=["wb-tilt"],
        )  # fmt: skip
        self.tilt.param.watch(lambda e: s.param.update(nats=e.new), "value")
        self.seed = pn.widgets.IntInput.from_param(
            s.param.seed, label="", width=136, margin=(0, 8, 0, 0), css_classes=["wb-seed"]
        )
        self.new_seed = button("New seed", s.new_seed, self.guard)
        self.budget = Dial(s, "budget", 1e3, 1e7, self.restart, log=True, unit="forward passes")
        self.run = button("Run all", self.start, self.guard, "primary")
        self.hold = button("Pause", s.stop, self.guard)
        self.about, self.status = text(), text(visible=False, css_classes=["wb-status"])
        self.laws = text(margin=(4, 0))
        self.worth, self.worth_words = figure_pane(_WORTH), text(css_classes=["wb-worth"])
        self.chart, self.sentence = figure_pane(_ESTIMATES), text(css_classes=["wb-sentence"])
        self.table = pn.widgets.StaticText(
            stylesheets=[table.TABLE_CSS], sizing_mode="stretch_width", margin=(6, 0),
            css_classes=["wb-estimates"],
        )  # fmt: skip
        row = pn.Row(
            self._controls(), self._main(), sizing_mode="stretch_width", css_classes=["wb-text"]
        )
        self.layout = on_ground(row, self.dark)

    def _controls(self) -> pn.Column:
        s = self.session
        return aside(
            label("Problem", s.param.problem_name.doc, "(D, M, C)"), self.picker, self.about,
            label("Tilt", s.param.nats.doc, "from D towards C"), self.tilt,
            self.budget.view,
            pn.Row(
                label("Seed", s.param.seed.doc), self.seed, self.new_seed,
                sizing_mode="stretch_width", margin=(4, 0, 0, 0),
            ),
            pn.FlexBox(self.run, self.hold, gap="0", margin=(8, 0, 0, 0)),
            self.status,
        )  # fmt: skip

    def _main(self) -> pn.FlexBox:
        laws = pn.Column(
            text("<h3>Token probabilities by position, before and after the tilt</h3>"),
            self.laws, styles={"flex": "1 1 360px", "min-width": "0"},
        )  # fmt: skip
        prices = pn.Column(
            text("<h3>What is a nat worth?</h3>"), self.worth, self.worth_words,
            styles={"flex": "1 1 420px", "min-width": "0"},
        )  # fmt: skip
        known = pn.Column(
            text("<h3>How close do the estimators come?</h3>"),
            self.chart, self.sentence, self.table,
            styles={"flex": "1 1 100%", "min-width": "0"},
        )  # fmt: skip
        return pn.FlexBox(laws, prices, known, gap="12px 34px", sizing_mode="stretch_width")

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def choose(self, name: str) -> None:
        """Another problem."""
        self.session.choose(name)

    def picture(self) -> None:
        """The laws of the tokens, before and after."""
        s = self.session
        self.tilt.value = s.nats
        self.laws.value = token_pictures.tokens(s.problem, s.seed, s.nats)

    def paint(self) -> None:
        """Sentences, table and charts as the session has them."""
        s = self.session
        rows, truth = s.serving(), s.truth
        self.about.value = about(s.problem)
        self.table.value = table.table(rows, truth)
        known = None if truth is None else (truth.log10_p, truth.se_log10)
        show(self.chart, estimates(rows, known, self.dark, _ESTIMATES))
        self.sentence.value = tokens_words.estimates_sentence(rows, s.problem)
        self.worth.object = worth(s.prices, truth, s.nats, self.dark, _WORTH)
        self.worth_words.value = tokens_words.worth_sentence(s.prices, s.problem, s.nats)
        self.offer_buttons()


def tokens(problem: Given | None = None, dark: bool = False, **state: Any) -> TokensScreen:
    """The screen for a notebook cell; it samples only when asked.

    Args:
        problem: a name of the catalogue, the path of a card, or a Problem of tokens.
        dark: for a dark notebook theme.
        state: first values of the session's parameters, e.g. `nats=4.0, seed=3`.
    """
    load_extension()
    return TokensScreen(TokensSession(problem, **state), dark=dark)
