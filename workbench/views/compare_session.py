"""The whole state of the Compare screen, and what follows from it. No interface in here."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import param

from workbench.errors import BadInput, WorkbenchError
from workbench.experiments import Row, recipe, seeds_of, to_csv, to_parquet
from workbench.iteration import Budget
from workbench.problem import Problem
from workbench.views import Given
from workbench.views.compare_job import Cell, job, stand
from workbench.views.known import Known
from workbench.views.room_session import RoomSession
from workbench.views.roster import Entry, picked, roster, with_setting
from workbench.views.worker import Worker

FIRST_PROBLEMS = ("digits", "C_digits_p22_s20", "D_mintree_1e-7", "B_w32_h2_1e-3")
FIRST_ESTIMATORS = ("moments", "monte_carlo", "importance", "subset")


class CompareSession(RoomSession):
    """One visitor's comparison. `close()` ends its worker."""

    in_url: Mapping[str, str] = {
        "problems": "problems", "estimators": "estimators", "budget": "runs_of", "seeds": "seeds",
        "settings": "set", "shown": "shown",
    }  # fmt: skip

    problems = param.ListSelector(
        default=[], objects=[], check_on_set=True, label="Problems",
        doc="The triples (D, M, C) to compare on. Estimates are judged by the truth that is stored "
        "with them.",
    )  # fmt: skip
    estimators = param.ListSelector(
        default=[], objects=[], check_on_set=True, label="Estimators",
        doc="The estimators to compare.",
    )  # fmt: skip
    budget = param.Integer(
        10_000, bounds=(100, 1_000_000_000), label="Budget per run",
        doc="Forward passes of the model that each run may spend.",
    )  # fmt: skip
    seeds = param.Integer(
        5, bounds=(1, 1000), label="Seeds",
        doc="How many runs of every estimator on every problem, with seeds 0, 1, 2 and so on.",
    )  # fmt: skip
    settings = param.Dict({}, doc="Settings of estimators that are not the usual ones.")
    shown = param.String(
        "", label="Shown", doc="The problem that the chart of error against forwards is about; the "
        "first one where it is none of them.",
    )  # fmt: skip

    def __init__(self, problems: Given | None = None, **params: Any):
        self.known = Known()
        names = self.known.names
        usual = [n for n in FIRST_PROBLEMS if n in names]
        mine = self.known.add_all([*usual] if problems is None else problems)
        self.worker = Worker()
        super().__init__()
        self.param.problems.objects = self.known.names
        first = [key for key in FIRST_ESTIMATORS if key in roster()]
        given, settings = params.pop("estimators", first), params.pop("settings", {})
        keys, settings, self._own = picked(given, settings)
        self.param.estimators.objects = list(self.entries)
        self.param.update(problems=mine, estimators=keys, settings=settings, **params)

    @property
    def entries(self) -> dict[str, Entry]:
        """{key: row} of all that can be compared here, a reader's own estimators first."""
        return {**self._own, **roster()}

    @property
    def charted(self) -> Problem | None:
        """The problem that the chart of error against forwards is about."""
        if not self.problems:
            return None
        return self.problem(self.shown if self.shown in self.problems else self.problems[0])

    def source(self) -> list[str]:
        return [self.known.source(name) for name in self.problems]

    def numbers(self) -> Iterator[str]:
        return (self.recipe(name, key) for name in self.problems for key in self.estimators)

    def enabled(self) -> dict[str, bool]:
        made = ("done", "refused", "running", "waiting")
        return {"run": any(c.state not in made for c in self.cells()), "hold": self.running}

    def bring(self, problem: Problem) -> None:
        """List a visitor's problem; it is one of those that are compared from now on."""
        self.known.add(problem)
        self.param.problems.objects = self.known.names
        if problem.name in self.problems:
            self.param.trigger("problems")
        else:
            self.problems = [problem.name, *self.problems]

    def problem(self, name: str) -> Problem:
        """The problem listed under a name."""
        return self.known.problem(name)

    def setting(self, estimator: str, key: str, value: Any) -> None:
        """Give one setting of one estimator; `settings` keeps only what is not usual."""
        self.settings = with_setting(self.settings, estimator, key, value)

    def _runs_of(self, key: str) -> int:
        """Runs of a row: one where it does not draw."""
        return len(seeds_of(self.entries[key].build({}), range(self.seeds)))

    def _ticket(self, name: str, key: str) -> str:
        mine, edition = self.settings.get(self.entries[key].cls.name), self.known.edition(name)
        return json.dumps([edition, self.budget, mine], sort_keys=True, default=str)

    def cells(self) -> tuple[Cell, ...]:
        """Every problem and estimator that is picked, problem by problem."""
        results, entries = self.worker.results, self.entries
        return tuple(
            self._refused(name, key)
            or stand(
                name, key, entries[key].title, results.get(_job(name, key)),
                self._ticket(name, key), self._runs_of(key),
            )
            for name in self.problems
            for key in self.estimators
        )  # fmt: skip

    def _refused(self, name: str, key: str) -> Cell | None:
        """The cell of an estimator that cannot serve, which needs no run to be known."""
        entry = self.entries[key]
        try:
            entry.build(self.settings).check(self.problem(name))
        except WorkbenchError as error:
            return Cell(name, key, entry.title, "refused", note=str(error))
        return None

    @property
    def running(self) -> bool:
        """Whether some run has steps left that the worker is about to make."""
        return self.worker.busy

    def start(self) -> None:
        """Run what is missing; what was stopped goes on, what is finished is kept."""
        for cell in self.cells():
            if cell.state not in ("refused", "done"):
                self.run(cell.problem, cell.key)

    def run(self, name: str, key: str) -> None:
        """Run the seeds that one cell lacks, or let it go on where it was stopped.

        Raises:
            BadInput, Unsupported: at once, where it cannot run.
        """
        held = self.worker.results.get(_job(name, key))
        ticket = self._ticket(name, key)
        if held is not None and held.get("ticket") != ticket:
            held = None
        whole = self._runs_of(key)
        if held and held["state"] in ("running", "paused") and held["seeds"] == whole:
            self.worker.pause(_job(name, key), False)
            return
        rows, traces = ((held or {}).get(what, ())[:whole] for what in ("rows", "traces"))
        problem, estimator = self.problem(name), self.entries[key].build(self.settings)
        estimator.check(problem)
        missing = range(len(rows), whole)
        blocks = job(problem, estimator, Budget(self.budget), missing, rows, traces)
        self.worker.start(
            _job(name, key), blocks, ticket=ticket, seeds=whole, rows=rows, traces=traces,
            fraction=len(rows) / whole,
        )  # fmt: skip

    def cancel(self, name: str, key: str) -> None:
        """Stop one cell after its present step; its finished runs stay."""
        self.worker.pause(_job(name, key))

    def stop(self) -> None:
        """Stop all cells."""
        for name in self.worker.results:
            self.worker.pause(name)

    def clear(self) -> None:
        """Forget all runs."""
        self.worker.drop()

    def rows(self) -> list[Row]:
        """All finished runs that are about the present budget and settings."""
        return [row for cell in self.cells() if cell.state != "stale" for row in cell.rows]

    def csv(self) -> str:
        """The finished runs as CSV."""
        return to_csv(self.rows(), Budget(self.budget))

    def parquet(self) -> bytes:
        """The finished runs as Parquet. Raises `Unsupported` without pyarrow."""
        return to_parquet(self.rows(), Budget(self.budget))

    def recipe(self, name: str, key: str) -> str:
        """A notebook cell that makes one row again.

        Raises:
            BadInput: for a problem that has no card to load, or an estimator of a reader's own.
        """
        if key in self._own:
            raise BadInput(f"the estimator {key!r} is your own: this notebook alone can make it")
        source = self.known.source(name)
        estimator = self.entries[key].build(self.settings)
        return recipe(source, estimator, Budget(self.budget), range(self.seeds))


def _job(name: str, key: str) -> str:
    return f"{name} {key}"
