"""A run under a reader's hand: run, pause, step, rewind, reset, save, open. No interface in here.

All that touches the run happens in the worker's thread, as blocks of jobs; the screen reads what
was published.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.experiments import Run
from workbench.views.worker import RUNNING, Worker

JOB, FILES = "stepping", "files"
"""Names of its jobs."""
SPEEDS = {"1 step a second": 1.0, "5 steps a second": 5.0, "full speed": 0.0}
"""{what a reader reads: steps a second, 0 for no limit}."""
_LOOK = 0.25  # seconds between pictures of a fast course
_KEPT = 128  # points to rewind to, of the last steps; half as many again of earlier ones

RUNS = "runs"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")

Blocks = Iterator[dict[str, Any]]


class Stepping:
    """One run in the worker.

    Args:
        worker: whose thread steps.
        prepare: reads the controls, in the reader's thread; what it gives makes a new run at its
            first state, in the worker's.
        look: what a screen shows of it beyond its metrics, as a dict to publish; likewise there.
        kinds: of runs that the screen can show, by name; all where there is none.

    Published under `JOB`: `steps`, `share` of the work done, `rows` (the metrics so far, a tuple;
    where it rests, up to the present state),
    `over` (no step is left), `back` (points to rewind to), `folder` (where it is kept, or ""),
    `opened` (the subject that was opened last), and what `look` gives.
    """

    def __init__(
        self, worker: Worker, prepare: Callable[[], Callable[[], Run]],
        look: Callable[[Run], Mapping[str, Any]], kinds: tuple[str, ...] = (),
    ):  # fmt: skip
        self.worker, self._prepare, self._look, self._kinds = worker, prepare, look, kinds
        self.speed = 0.0
        self.run: Run | None = None
        self._due: Callable[[], Run] | None = None
        self._by_controls = True  # and not a folder's, what is due, or was last
        self._pressed: Callable[[], Blocks] = self._resetting
        self._presses = 0
        self._opened: Any = None
        self._past: list[tuple[Any, float, int]] = []
        self._share = 0.0

    @property
    def found(self) -> Mapping[str, Any]:
        """What is published; empty before the first action."""
        return self.worker.results.get(JOB, {})

    @property
    def place(self) -> str:
        """The folder that the run is kept in, or ""."""
        run = self.run
        return "" if run is None or run.folder is None else str(run.folder.path)

    @property
    def running(self) -> bool:
        """Whether it does what it was asked."""
        return self.found.get("state") == RUNNING

    @property
    def replacing(self) -> bool:
        """Whether the run on the screen is about to give way to another."""
        return self.running and self._due is not None

    def play(self) -> None:
        """Step on, to the end or until paused."""
        self._begin(lambda: self._stepping(None))

    def step(self) -> None:
        """One step, and no further."""
        self._begin(lambda: self._stepping(1))

    def pause(self) -> None:
        """Stop after the present step, and save it where the run is kept."""
        self._begin(self._resting)

    def rewind(self) -> None:
        """Back to the point before: the last step, or further where the past was thinned out."""
        self._begin(self._rewinding)

    def reset(self) -> None:
        """A new run, as the controls stand; a folder that is held is let go as it stands."""
        self._due, self._by_controls = self._prepare(), True
        self._begin(self._resetting)

    def renew(self) -> None:
        """The controls have changed: a run that is being made for them, whatever was pressed
        meanwhile, or in which nothing was done yet, gives way to one as they stand now."""
        if self.running and self._by_controls and (self._due or self._pressed == self._resetting):
            self._due = self._prepare()
            self._begin(self._pressed)
        elif not self.running and self._untouched():
            self.reset()

    def _untouched(self) -> bool:
        """Whether what was begun stands at its first step: neither opened, nor kept in a folder."""
        run = self.run
        if run is None:
            return bool(self.found)
        opened = run.folder is not None or run.subject is self._opened
        return not opened and run.subject.state.steps == 0

    def save(self, path: str | Path) -> None:
        """Keep the run in a folder from now on; what goes wrong is published under `FILES`."""
        self._ask()
        self.worker.start(FILES, self._saving(Path(path)))

    def open(self, path: str | Path) -> None:
        """Put the run of a folder in place of this one, paused."""
        self._due, self._by_controls = lambda: self._open(Path(path)), False
        self._begin(self._resetting)

    def close(self) -> None:
        """Save what is kept, and let the folder go; the worker must have ended."""
        if self.run is not None:
            self.run.close()

    def _begin(self, pressed: Callable[[], Blocks]) -> None:
        self._ask()
        self._pressed = pressed
        self._presses += 1
        held = {k: v for k, v in self.found.items() if k not in ("state", "message")}
        self.worker.start(JOB, pressed(), **held)

    def _ask(self) -> None:
        """Have a run made where there is none."""
        if self.run is None and self._due is None:
            self._due, self._by_controls = self._prepare(), True

    def _live(self) -> Run:
        """The run; where another was asked for, that one: Run may be pressed before it is there."""
        due = self._due
        if due is not None:
            try:
                self._take(due())
            except BaseException:
                if self._untouched():
                    self.run = None  # the next press asks for what the controls say by then
                raise
            finally:
                if self._due is due:  # and not one that was asked for meanwhile
                    self._due = None
        assert self.run is not None
        return self.run

    def _take(self, run: Run) -> None:
        if self.run is not None:
            self.run.close()
        self.run, self._past, self._share = run, [], 0.0
        self._note(run)

    def _note(self, run: Run) -> None:
        """Remember the present state as one to rewind to."""
        self._past.append((run.subject.state, run.subject.seconds, len(run.rows)))
        if len(self._past) > 2 * _KEPT:
            self._past[:_KEPT] = self._past[:_KEPT:2]

    def _told(self, run: Run, look: bool = True, rests: bool = True) -> dict[str, Any]:
        rows = (*run.rows, *(run.now() if rests else ()))
        return {
            "steps": run.subject.state.steps, "share": self._share, "rows": rows,
            "over": run.finished, "back": len(self._past) - 1,
            "folder": self.place, "opened": self._opened,
            **(self._look(run) if look else {}),
        }  # fmt: skip

    def _stepping(self, count: int | None) -> Blocks:
        return self._walking(count, self._presses)

    def _walking(self, count: int | None, press: int) -> Blocks:
        """Steps, as long as nothing else was pressed since: what replaced it may be a step too."""
        run = self._live()
        if run.finished:
            yield self._told(run)
            return
        walk, done, looked = run.walk(), 0, 0.0
        while press == self._presses and (count is None or done < count):
            due = time.monotonic() + (1.0 / self.speed if self.speed and count is None else 0.0)
            share = next(walk, None)
            if share is None:
                break
            done, self._share = done + 1, share
            self._note(run)
            look = time.monotonic() - looked > _LOOK
            told = self._told(run, look, rests=False)
            if look:
                looked = time.monotonic()
            yield {**told, "rest": due - time.monotonic()}
        run.save()
        yield self._told(run)

    def _resting(self) -> Blocks:
        run = self._live()
        run.save()
        yield self._told(run)

    def _rewinding(self) -> Blocks:
        run = self._live()
        if self._past[-1][0] is run.subject.state and len(self._past) > 1:
            self._past.pop()
        run.back(*self._past[-1])
        self._share = 0.0
        yield self._told(run)

    def _resetting(self) -> Blocks:
        run = self._live()
        if run.subject.state.steps == 0:
            yield self._told(run, rests=False)  # pictures do not wait for the first estimate
        yield self._told(run)

    def _open(self, path: Path) -> Run:
        run = Run.resume(path)
        if self._kinds and run.kind.name not in self._kinds:
            run.close()
            raise BadInput(
                f"{path} holds a run of kind {run.kind.name}, and this screen shows "
                f"{' or '.join(self._kinds)}: `workbench report {path}` tells of it"
            )
        self._opened = run.subject
        return run

    def _saving(self, path: Path) -> Blocks:
        run = self._live()
        run.keep(path)
        yield {"folder": str(path)}


def place_of(name: str) -> Path:
    """Where a screen keeps the run of a name: `runs/<name>` below the folder it was started in.

    Raises:
        BadInput: for what is no plain name; a page, or a link, reaches no other folder.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"a run is named by up to 60 letters, digits, dots, - and _; got {name[:60]!r}"
        )
    return Path(RUNS) / name
