"""The whole state of the Explore screen, and what follows from it. No interface in here."""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import param

from workbench.distributions import Sampleable
from workbench.errors import BadInput, WorkbenchError
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.problem.codec import zipped
from workbench.types import Pace
from workbench.views import Given, margins, number_cells
from workbench.views.known import bring
from workbench.views.pace import Stopwatch
from workbench.views.position import Position
from workbench.views.room_session import RoomSession
from workbench.views.roster import roster, with_setting
from workbench.views.rows import Row, idle_row, live_rows, refused_row, sampling, worker_row
from workbench.views.worker import Worker

PLACE = ("sigma", "shift", "lean", "direction", "seed")
"""The sliders."""
GO, HOLD = "▶", "❚❚"


class Session(Position, RoomSession):
    """One visitor's screen. `close()` ends its worker."""

    in_url: Mapping[str, str] = {
        "problem_name": "problem", "sigma": "sigma", "shift": "shift", "direction": "direction",
        "lean": "lean", "budget": "budget", "seed": "seed", "settings": "settings",
        "marked": "marked",
    }  # fmt: skip

    budget = param.Integer(
        1_000_000, bounds=(1_000, 1_000_000_000), label="Budget",
        doc="Forward passes of the model that each sampling estimate may spend.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings of estimators that are not the defaults.")
    marked = param.String("", doc="The row that a reader came here for.")
    running = param.Boolean(False, doc="Whether Monte Carlo counts.")

    def __init__(self, problem: Given | None = None, **params: Any):
        self._watch = Stopwatch()
        self.worker = Worker()
        super().__init__(problem, **params)

    def open(self, problem: Problem, row: str, budget: int, settings: dict[str, Any]) -> None:
        """A problem at its reference, with one row marked, which runs if it has to be asked."""
        if problem.name not in self.param.problem_name.objects:
            self.bring(problem)
        self.param.update(budget=budget, settings=settings, marked=row)
        self.choose(problem.name)
        if roster()[row].pace is Pace.ASKED:
            with contextlib.suppress(WorkbenchError):  # the row says why
                self.run(row)

    def source(self) -> str:
        return self.known.source(self.problem_name)

    def enabled(self) -> dict[str, bool]:
        able = not self.uncountable
        return {"run": able and not self.counting, "hold": self.counting, "reset": able}

    def numbers(self) -> Iterator[str]:
        moved = {k: getattr(self, k) for k in PLACE if getattr(self, k) != self.param[k].default}
        yield number_cells.place(self.source(), moved)
        yield number_cells.estimates(self.rows(), self.settings, self.budget, self.seed)

    def bring(self, problem: Problem) -> None:
        bring(self, problem)

    def closed_forms(self) -> dict[str, Row]:
        """The deterministic estimates here that are cheap enough to follow a slider.

        One that turns out to be slow is not made again, but stands as long as nothing has moved.
        """

        def make() -> dict[str, Row]:
            live = [e for e in roster().values() if self._watch.live(e, self.problem_name)]
            try:
                made = live_rows(self.problem, self.settings, live)
            except WorkbenchError as error:
                return {e.key: refused_row(e, error) for e in live}
            for row in made.values():
                self._watch.note(row.key, self.problem_name, row.seconds)
            return made

        return self._kept("closed", (self.position, _frozen(self.settings)), make)

    def rows(self) -> tuple[Row, ...]:
        """All rows of the table."""
        closed, results = self.closed_forms(), self.worker.results
        try:
            problem = self.problem
        except WorkbenchError:
            problem = self.reference
        waiting, found = self._idle_rows(problem), []
        for key, entry in roster().items():
            if key in closed:
                found.append(closed[key])
            elif (result := results.get(key)) is not None:
                found.append(worker_row(entry, result, self.ticket(key)))
            else:
                found.append(waiting[key])
        return tuple(found)

    def _idle_rows(self, problem: Problem) -> dict[str, Row]:
        """What rows that have not run say: the same wherever the sliders leave D and C their kinds.

        Asked some fifty times a second while Monte Carlo counts, so remembered.
        """
        d, c = problem.distribution, problem.spec
        key = (self.edition, type(d), d.name, d.dim, type(c), c.name, _frozen(self.settings))
        return self._kept(
            "idle", key,
            lambda: {k: idle_row(e, problem, self.settings) for k, e in roster().items()},
        )  # fmt: skip

    def margin_picture(self) -> margins.Picture:
        """The law of the margin here: the worker's, or from one block sampled on the spot."""
        found = self.worker.results.get("margins", {})
        if found.get("position") == self.ticket("margins") and "picture" in found:
            return found["picture"]

        def make() -> margins.Picture:
            return margins.picture(self.problem, margins.sample(self.problem, self.seed))

        return self._kept("picture", (self.position, self.seed), make)

    @property
    def uncountable(self) -> str:
        """Why Monte Carlo cannot count here, in one sentence; "" where it can."""
        if isinstance(self.reference.distribution, Sampleable):
            return ""
        return "D cannot be sampled: there is nothing for Monte Carlo to count."

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
        if self.uncountable:  # what is said beside the button; another problem may be countable
            return
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

    def setting(self, estimator: str, key: str, value: Any) -> None:
        """Give one setting of one estimator; `settings` keeps only what is not usual."""
        self.settings = with_setting(self.settings, estimator, key, value)

    def card_archive(self) -> io.BytesIO:
        """The problem under the sliders as a zip of its card and tensors."""
        name = self.problem_name if self.at_reference else f"{self.problem_name}_varied"
        return io.BytesIO(zipped(replace(self.problem, name=name)))


def _frozen(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
