"""The whole state of the Explore screen, and what follows from it. No interface in here."""

import contextlib
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import param
import torch
from torch import Tensor

from workbench import catalogue
from workbench.errors import BadInput, WorkbenchError
from workbench.iteration import Budget
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.types import Pace
from workbench.views import margins
from workbench.views.archive import card_archive
from workbench.views.link import take
from workbench.views.pace import Stopwatch
from workbench.views.roster import roster, with_setting
from workbench.views.rows import Row, live_rows, refused_row, sampling, worker_row
from workbench.views.variation import random_direction, std_along, steepest, varied
from workbench.views.worker import Worker

POSITION = ("problem_name", "sigma", "shift", "direction", "lean")
"""The parameters that pick the problem."""
IN_URL = {
    "problem_name": "problem", "sigma": "sigma", "shift": "shift", "direction": "direction",
    "lean": "lean", "budget": "budget", "seed": "seed", "settings": "settings",
    "marked": "marked",
}  # fmt: skip
"""{parameter: its name in the link}."""


GO, HOLD = "▶", "❚❚"


def first_problem() -> str:
    """The digits problem that the screen opens on."""
    names = catalogue.names()
    if "digits" in names and catalogue.load("digits").truth is not None:
        return "digits"
    return "C_digits_p8_s15" if "C_digits_p8_s15" in names else names[0]


class Session(param.Parameterized):
    """One visitor's screen. `close()` ends its worker."""

    problem_name = param.Selector(
        objects=[],
        check_on_set=True,
        label="Problem",
        doc="The triple (D, M, C) to look at; its card says more.",
    )  # fmt: skip
    sigma = param.Number(
        1.0, bounds=(0.1, 10.0), label="Spread of D",
        doc="Multiplies the scale of the input distribution D; 1 is the problem of the card.",
    )  # fmt: skip
    shift = param.Number(
        0.0, bounds=(-1e4, 1e4), label="Threshold",
        doc="The catastrophe becomes margin > threshold, in the units of the margin. Above 0 it is "
        "rarer, below 0 more frequent.",
    )  # fmt: skip
    direction = param.Selector(
        objects=["steepest", "random"], default="steepest", label="Direction",
        doc="Where the mean of D moves: along the gradient of log P by covariance propagation at "
        "the reference, or along a random direction that the seed picks.",
    )  # fmt: skip
    lean = param.Number(
        0.0, bounds=(-8.0, 8.0), label="Mean of D",
        doc="How far the mean of D moves along the direction, in standard deviations of D.",
    )  # fmt: skip
    budget = param.Integer(
        1_000_000, bounds=(1_000, 1_000_000_000), label="Budget",
        doc="Forward passes of the model that each sampling estimate may spend.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, 2**31 - 1), label="Seed",
        doc="Determines every random number on this screen: equal seeds give equal pictures.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings of estimators that are not the usual ones.")
    marked = param.String("", doc="The row that a reader came here for.")
    running = param.Boolean(False, doc="Whether Monte Carlo counts.")

    def __init__(self, problem: str | Problem | None = None, **params: Any):
        names = catalogue.names()
        chosen = problem if problem is not None else first_problem()
        if not isinstance(chosen, Problem) and chosen not in names:
            chosen = catalogue.load(chosen)  # the path of a card, or BadInput
        self._own = chosen if isinstance(chosen, Problem) else None
        name = chosen.name if isinstance(chosen, Problem) else chosen
        names = [name, *names] if name not in names else names
        self._cache: dict[str, tuple[Any, Any]] = {}
        self._watch = Stopwatch()
        self.worker = Worker()
        super().__init__(**params)
        self.param.problem_name.objects = names
        self.param.update(problem_name=name)

    def choose(self, problem_name: str) -> None:
        """Another problem, at its reference."""
        self.param.update(problem_name=problem_name, sigma=1.0, shift=0.0, lean=0.0)

    def open(self, problem: Problem, row: str, budget: int, settings: dict[str, Any]) -> None:
        """A problem at its reference, with one row marked, which runs if it has to be asked."""
        if problem.name not in self.param.problem_name.objects:
            self._own = problem
            self.param.problem_name.objects = [problem.name, *self.param.problem_name.objects]
        self.param.update(budget=budget, settings=settings, marked=row)
        self.choose(problem.name)
        if roster()[row].pace is Pace.ASKED:
            with contextlib.suppress(WorkbenchError):  # the row says why
                self.run(row)

    def take(self, values: dict[str, Any]) -> str:
        """Take over what is sound of these values; a sentence about the rest, or ""."""
        return take(self, values, IN_URL)

    def _kept(self, what: str, key: Any, make: Any) -> Any:
        """`make()`, remembered until `key` changes; a `WorkbenchError` is remembered too."""
        if what not in self._cache or self._cache[what][0] != key:
            try:
                value = make()
            except WorkbenchError as error:
                value = error
            self._cache[what] = (key, value)
        value = self._cache[what][1]
        if isinstance(value, WorkbenchError):
            raise value
        return value

    @property
    def reference(self) -> Problem:
        """The problem as its card has it."""

        def make() -> Problem:
            if self._own is not None and self._own.name == self.problem_name:
                return self._own
            return catalogue.load(self.problem_name)

        return self._kept("reference", self.problem_name, make)

    @property
    def at_reference(self) -> bool:
        """Whether the sliders stand where the stored truth holds."""
        return self.sigma == 1.0 and self.shift == 0.0 and self.lean == 0.0

    @property
    def truth(self) -> Truth | None:
        """The stored truth, only where it holds."""
        return self.reference.truth if self.at_reference else None

    @property
    def step(self) -> Tensor:
        """The vector by which the mean of D moves for `lean` = 1.

        Raises:
            Unsupported: where the direction of steepest ascent is not to be had.
        """
        problem = self.reference
        d = problem.distribution
        seed = self.seed if self.direction == "random" else None

        def make() -> Tensor:
            if self.direction == "random":
                unit = random_direction(d.dim, d.dtype, self.seed)
            else:
                unit = steepest(problem)
            return unit * std_along(d, unit)

        return self._kept("step", (self.problem_name, self.direction, seed), make)

    @property
    def problem(self) -> Problem:
        """The problem under the sliders. Raises `Unsupported` where D cannot be moved so."""
        reference = self.reference
        if self.at_reference:
            return reference

        def make() -> Problem:
            _ = self._graph_or_none(reference)  # read once, and handed on by `vary`
            d, c = reference.distribution, reference.spec
            if self.sigma != 1.0 or self.lean != 0.0:
                zero = torch.zeros(d.dim, dtype=d.dtype)
                offset = zero if self.lean == 0.0 else self.lean * self.step
                d = varied(d, self.sigma, offset)
            if self.shift != 0.0:
                c = c.shift(self.shift)
            return reference.vary(distribution=d, spec=c)

        return self._kept("problem", self.position, make)

    @staticmethod
    def _graph_or_none(problem: Problem) -> Any:
        try:
            return problem.graph
        except WorkbenchError:
            return None

    @property
    def position(self) -> tuple[Any, ...]:
        """What every estimate depends on beside its own settings and the sampling seed."""
        random = self.seed if self.direction == "random" and self.lean != 0.0 else None
        return (*(getattr(self, name) for name in POSITION), random)

    @property
    def shift_reach(self) -> float:
        """How far the threshold slider goes: three standard deviations of sampled margins."""

        def make() -> float:
            s = margins.sample(self.reference, 0)
            s = s[torch.isfinite(s)]
            spread = float(s.std()) if s.numel() > 1 else 1.0
            return float(f"{3.0 * spread:.1g}") if spread > 0 and math.isfinite(spread) else 1.0

        return self._kept("reach", self.problem_name, make)

    def closed_forms(self) -> dict[str, Row]:
        """The deterministic estimates here that are cheap enough to follow a slider."""
        live = [e for e in roster().values() if self._watch.live(e, self.problem_name)]
        key = (self.position, _frozen(self.settings), tuple(e.key for e in live))

        def make() -> dict[str, Row]:
            try:
                made = live_rows(self.problem, self.settings, live)
            except WorkbenchError as error:
                return {e.key: refused_row(e, error) for e in live}
            for row in made.values():
                self._watch.note(row.key, self.problem_name, row.seconds)
            return made

        return self._kept("closed", key, make)

    def rows(self) -> tuple[Row, ...]:
        """All rows of the table."""
        closed, results = self.closed_forms(), self.worker.results
        try:
            problem = self.problem
        except WorkbenchError:
            problem = self.reference
        return tuple(
            closed.get(key)
            or worker_row(entry, problem, self.settings, results.get(key), self.ticket(key))
            for key, entry in roster().items()
        )

    def margin_picture(self) -> margins.Picture:
        """The law of the margin here: the worker's, or from one block sampled on the spot."""
        found = self.worker.results.get("margins", {})
        if found.get("position") == self.ticket("margins") and "picture" in found:
            return found["picture"]

        def make() -> margins.Picture:
            return margins.picture(self.problem, margins.sample(self.problem, self.seed))

        return self._kept("picture", (self.position, self.seed), make)

    @property
    def counting(self) -> bool:
        """Whether Monte Carlo has draws left that it is about to make."""
        held = self.worker.results.get("monte_carlo", {})
        return self.running and held.get("state") == "running"

    @property
    def picture_is_coming(self) -> bool:
        """Whether the worker is about to publish its first picture of the margin here."""
        found = self.worker.results.get("margins", {})
        return found.get("state") == "running" and "picture" not in found

    def ticket(self, name: str) -> tuple[Any, ...]:
        """What a result of the worker must carry to be about the present screen."""
        entry = roster().get(name)
        mine = None if entry is None else _frozen(self.settings.get(entry.cls.name))
        if entry is not None and entry.pace is not Pace.ASKED:
            return (self.position, mine)
        return (self.position, self.seed, self.budget, mine)

    def run(self, name: str = "monte_carlo") -> None:
        """Start a row in the worker, or let it go on where it was paused.

        Raises:
            BadInput, Unsupported: at once, where it cannot run.
        """
        if name not in roster():
            raise BadInput(f"no row is called {name!r}: use one of {', '.join(roster())}")
        if self._held(name):
            self.worker.pause(name, False)
            return
        problem, entry = self.problem, roster()[name]
        estimator = entry.build(self.settings)
        estimator.check(problem)
        if entry.pace is Pace.ASKED:
            blocks = sampling(estimator, problem, self.seed, Budget(self.budget))
        else:  # the same as the library gives it: neither this budget nor this seed is for it
            blocks = self._timed(name, sampling(estimator, problem, 0, Budget()))
        self._start(name, blocks)

    def _timed(self, name: str, blocks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        where, seconds = self.problem_name, 0.0
        for news in blocks:
            seconds = news["estimate"].cost.seconds
            yield news
        self._watch.note(name, where, seconds)

    def toggle(self, name: str) -> None:
        """Hold a row that runs, run one that does not."""
        if self.worker.results.get(name, {}).get("state") == "running":
            self.pause(name)
        else:
            self.run(name)

    def offer(self, row: Row) -> str:
        """What the button of a row says; "" where there is nothing to press."""
        entry = roster()[row.key]
        if row.state == "unsupported" or self._watch.by_itself(entry, self.problem_name):
            return ""
        return f"{HOLD if row.state == 'running' else GO} {entry.title}"

    def refresh(self) -> None:
        """Make anew, in the worker, the deterministic rows that no slider can wait for."""
        for key, entry in roster().items():
            held = self.worker.results.get(key, {})
            if held.get("position") == self.ticket(key) or key in self.closed_forms():
                continue
            if self._watch.by_itself(entry, self.problem_name):
                try:
                    self.run(key)
                except WorkbenchError:
                    continue  # its row says why

    def play(self) -> None:
        """Run Monte Carlo: go on where it was paused, start where it was not."""
        self.running = True
        if not self._held("monte_carlo"):
            self._start("margins", margins.sampling(self.problem, self.seed))
        self.run("monte_carlo")

    def pause(self, name: str = "monte_carlo") -> None:
        """Hold a row with what it has."""
        if name == "monte_carlo":
            self.running = False
        self.worker.pause(name)

    def _held(self, name: str) -> bool:
        """Whether a row is paused and about the present screen."""
        found = self.worker.results.get(name, {})
        return found.get("state") == "paused" and found.get("position") == self.ticket(name)

    def reset(self) -> None:
        """Forget all sampled results."""
        self.running = False
        self.worker.drop()

    def settle(self) -> None:
        """The sliders have come to rest: count afresh here, and drop what is about elsewhere.

        Monte Carlo starts again if it was running; the costlier estimates wait to be asked.
        """
        results = self.worker.results
        old = [n for n, r in results.items() if r.get("position") != self.ticket(n)]
        self.worker.drop(*old) if old else None
        if self.running and "monte_carlo" not in self.worker.results:
            try:
                self.play()
            except WorkbenchError:
                self.running = False  # the row says why

    def _start(self, name: str, blocks: Iterator[dict[str, Any]]) -> None:
        self.worker.start(name, blocks, position=self.ticket(name), fraction=0.0)

    def new_seed(self) -> None:
        """Another seed, determined by the present one."""
        generator = Rng(self.seed).child("next").generator()
        self.seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))

    def setting(self, estimator: str, key: str, value: Any) -> None:
        """Give one setting of one estimator; `settings` keeps only what is not usual."""
        self.settings = with_setting(self.settings, estimator, key, value)

    def card_archive(self) -> io.BytesIO:
        """The problem under the sliders as a zip of its card and tensors."""
        name = self.problem_name if self.at_reference else f"{self.problem_name}_varied"
        return card_archive(self.problem, name)

    def close(self) -> None:
        """Stop the worker and wait for it."""
        self.worker.close()


def _frozen(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
