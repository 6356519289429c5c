"""The Tokens screen in ipywidgets: the same session, without Panel."""

import ipywidgets as w

from workbench.views import table, token_pictures, tokens_words
from workbench.views.about import about
from workbench.views.acts import TokensActs
from workbench.views.figure_widgets import empty_figure, show_figure
from workbench.views.following import ByTask
from workbench.views.plots import estimates
from workbench.views.tokens_plots import worth
from workbench.views.tokens_session import LEVELS, TokensSession
from workbench.views.widget_parts import STYLE, aside, bound, button, half, wear

_WORTH, _ESTIMATES = 260, 230


class TokensWidgets(TokensActs, ByTask, w.VBox):
    """Tilt, table and charts on a session; nothing is sampled before it is asked for.

    Args:
        session: the state; closed by whoever made it.
    """

    def __init__(self, session: TokensSession, dark: bool = False):
        self.session, self.dark = session, dark
        names = list(session.param.problem_name.objects)
        self.problem = bound(
            session, w.Dropdown, "problem_name", self.guard, options=names, turn=session.choose
        )
        levels = [(f"{n:g} nats", n) for n in LEVELS]
        self.tilt = bound(session, w.SelectionSlider, "nats", self.guard, options=levels)
        self.seed = bound(session, w.BoundedIntText, "seed", self.guard, min=0, max=2**31 - 1)
        self.budget = bound(session, w.BoundedIntText, "budget", self.guard, min=1_000, max=10**9)
        self.run = button("Run all", self.start, self.guard, "primary")
        self.hold = button("Pause", session.stop, self.guard)
        self.about, self.laws, self.table = w.HTML(), w.HTML(), w.HTML()
        self.status, self.sentence, self.worth_words = w.HTML(), w.HTML(), w.HTML()
        self.worth, self.chart = empty_figure(_WORTH), empty_figure(_ESTIMATES)
        session.param.watch(lambda *_: self._tilted(), ["nats"])
        session.param.watch(lambda *_: self._chosen(), ["problem_name", "seed"])
        session.param.watch(lambda *_: self.paint(), ["budget"])
        controls = aside(
            [self.problem, self.about, self.tilt, self.budget, self.seed,
             w.HBox([self.run, self.hold]), self.status],
        )  # fmt: skip
        prices = w.VBox(
            [w.HTML("<b>What is a nat worth?</b>"), self.worth, self.worth_words], layout=half()
        )
        known = w.VBox(
            [
                w.HTML("<b>How close do the estimators come?</b>"),
                self.chart,
                self.sentence,
                self.table,
            ],
            layout=half(),
        )
        charts = w.HBox([prices, known], layout=w.Layout(flex_flow="row wrap"))
        head = w.HTML("<b>Token probabilities by position, before and after the tilt</b>")
        main = w.VBox([head, self.laws, charts], layout=w.Layout(flex="1 1 auto", min_width="0"))
        self.picture()
        self.paint()
        super().__init__([w.HBox([controls, main])])
        self.add_class("wb-text-widgets")
        wear(self, dark)

    def picture(self) -> None:
        """The laws of the tokens, before and after."""
        s = self.session
        self.laws.value = STYLE + token_pictures.tokens(s.problem, s.seed, s.nats)

    def paint(self) -> None:
        """Sentences, table and charts as the session has them."""
        s = self.session
        rows, truth = s.serving(), s.truth
        known = None if truth is None else (truth.log10_p, truth.se_log10)
        self.about.value = STYLE + about(s.problem)
        self.table.value = STYLE + table.table(rows, truth)
        self.sentence.value = tokens_words.estimates_sentence(rows, s.problem)
        self.worth_words.value = tokens_words.worth_sentence(s.prices, s.problem, s.nats)
        show_figure(self.chart, estimates(rows, known, self.dark, _ESTIMATES))
        show_figure(self.worth, worth(s.prices, truth, s.nats, self.dark, _WORTH))
        self.offer_buttons()
