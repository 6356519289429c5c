"""The whole state of the Tokens screen, and what follows from it. No interface in here."""

from collections.abc import Iterator, Mapping
from typing import Any

import param

from workbench import catalogue
from workbench.adversaries import Prices, Tilting
from workbench.errors import BadInput
from workbench.iteration import Budget, steps
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Pace
from workbench.views import Given
from workbench.views.roster import roster
from workbench.views.rows import Row
from workbench.views.state import Session
from workbench.views.token_pictures import shows_tokens
from workbench.views.variation import NATS, token_slope

LEVELS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)
PRICES = "prices"
"""The job that finds what every tilt brings."""
_FIRST = "T_bpe_word_1e-6"


class TokensSession(Session):
    """One visitor's rare tokens: D stays as the card has it, and what is drawn is its tilt.

    Args:
        problem: a name of the catalogue, the path of a card, or a Problem; D of independent tokens,
            M a transformer that knows their texts.

    Raises:
        BadInput: for any other problem.
    """

    in_url: Mapping[str, str] = {
        "problem_name": "text", "nats": "nats", "budget": "text_budget", "seed": "text_seed",
        "settings": "text_set",
    }  # fmt: skip

    nats = param.Selector(
        objects=list(LEVELS), default=NATS, check_on_set=True, label="Tilt",
        doc="KL(q ‖ D) of the tilted distribution q that is shown beside D: at every position the "
        "probability of a token is multiplied by exp(slope), where the slope is what the margin's "
        "gradient says of that token.",
    )  # fmt: skip
    budget = param.Integer(
        65_536, bounds=(1_000, 1_000_000_000), label="Budget",
        doc="Forward passes of the model that each estimate may spend.",
    )  # fmt: skip

    def __init__(self, problem: Given | None = None, **params: Any):
        super().__init__(_FIRST if problem is None else problem, **params)
        for name in self.known.own:
            if not shows_tokens(self.known.problem(name)):
                raise BadInput(
                    "the room Tokens shows independent tokens that M knows the texts of, and "
                    f"{name} has none: use one of {', '.join(catalogue.token_names()[:3])}, ..."
                )

    @staticmethod
    def listed() -> list[str]:
        """The catalogue's rare tokens."""
        return catalogue.token_names()

    def bring(self, problem: Problem) -> None:
        if shows_tokens(problem):
            super().bring(problem)

    def enabled(self) -> dict[str, bool]:
        return {"run": not self.worker.busy, "hold": self.worker.busy}

    @property
    def prices(self) -> Prices | None:
        """P under every tilt, as far as the draws have come."""
        found = self.worker.results.get(PRICES, {})
        return found.get("prices") if found.get("position") == self.ticket(PRICES) else None

    def serving(self) -> tuple[Row, ...]:
        """The rows of the estimators that can serve here."""
        return tuple(row for row in self.rows() if row.state != "unsupported")

    def start(self) -> None:
        """Run every estimator that serves, and find what the tilts bring; what is there stays."""
        self.settle()
        self._begin(PRICES)
        for row in self.serving():
            if roster()[row.key].pace is Pace.ASKED:
                self._begin(row.key)
        self.refresh()

    def _begin(self, name: str) -> None:
        held = self.worker.results.get(name, {})
        if held.get("position") == self.ticket(name):
            self.worker.pause(name, False)
        elif name == PRICES:
            self._start(PRICES, self._pricing())
        else:
            self.run(name)

    def stop(self) -> None:
        """Hold all that runs."""
        for name in self.worker.results:
            self.worker.pause(name)

    def _pricing(self) -> Iterator[dict[str, Any]]:
        problem = self.problem
        tilting = Tilting(token_slope(problem, self.seed), LEVELS)
        state = tilting.init(problem, Rng(self.seed).child("prices"))
        for latest, look in steps(tilting, problem, state, Budget(self.budget)):
            yield {"prices": tilting.read(latest), "fraction": look.fraction}
