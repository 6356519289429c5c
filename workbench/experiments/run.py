"""An estimate, a search or a training that lives in a folder and can be gone on with."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.errors import StaleRun, WorkbenchError
from workbench.estimators.base import check_positive
from workbench.experiments.attempt import Row
from workbench.experiments.course import Subject
from workbench.experiments.folder import MALFORMED, Folder, altered
from workbench.experiments.kinds import RunKind, kind_of

EVERY, SECONDS = 50, 1.0
"""Steps, and seconds, from checkpoint to checkpoint: whichever comes first."""


class Run:
    """A subject, its metrics, and the folder that it is kept in, once it is.

    A run that was killed loses at most the steps since the last checkpoint, and `resume` goes on
    from there: the state after k steps is the same bit for bit, however often it was cut short
    (on the same machine and with the same versions).

    Args:
        subject: what runs; its `state` and `seconds` are those of the last step.
        kind: how it is written down: one of `KINDS`, or its name.
        folder: where it is kept; in memory alone without one.

    >>> import tempfile
    >>> import workbench as wb
    >>> from workbench.experiments import Attempt, Run
    >>> attempt = Attempt(wb.load("A_d10_1e-3"), wb.MonteCarlo(), wb.Budget(50_000), seed=0)
    >>> place = Path(tempfile.mkdtemp()) / "first"
    >>> with Run.start(place, "estimate", attempt) as run:
    ...     share = next(run.walk())  # and no further
    >>> with Run.resume(place) as run:
    ...     run.finish()
    >>> round(run.subject.estimate().log10_p)
    -3
    """

    def __init__(self, subject: Any, kind: RunKind | str, folder: Folder | None = None):
        self.subject, self.folder = subject, folder
        self.kind = kind_of(kind) if isinstance(kind, str) else kind
        self._new: list[Row] = []
        self._finished = False
        self._saved = time.monotonic()

    @staticmethod
    def start(path: str | Path, kind: str, subject: Subject, every: int = EVERY) -> "Run":
        """Keep a subject, as it stands, in a new folder; errors as `keep`."""
        run = Run(subject, kind)
        run.keep(path, every)
        return run

    @staticmethod
    def resume(path: str | Path) -> "Run":
        """The run in a folder, as its last checkpoint left it.

        Raises:
            BadInput: where there is none, or another process is at work on it.
            StaleRun: where it was truncated, altered, or made by a newer workbench.
        """
        folder = Folder.open(path)
        try:
            kind = kind_of(folder.kind)
            subject = kind.rebuild(folder.config, folder.file)
            subject.state = folder.state(type(subject.state))
        except WorkbenchError:
            folder.close()
            raise
        except MALFORMED as error:
            folder.close()
            raise StaleRun(altered(folder.path, error)) from error
        except BaseException:
            folder.close()
            raise
        subject.seconds = folder.mark.seconds
        return Run(subject, kind, folder)

    def keep(self, path: str | Path, every: int = EVERY) -> None:
        """Keep the run, as it stands, in a new folder from now on.

        Args:
            path: a folder that does not exist yet, or is empty.
            every: steps from checkpoint to checkpoint, at most: there is one every second too.

        Raises:
            BadInput: where the path is taken, or `every` is no positive whole number.
            Unsupported: where no card describes the problem.
        """
        check_positive("a run", every=every)
        config, files = self.kind.describe(self.subject)
        folder = Folder.create(
            path, self.kind.name, config, files, self.subject.state, every=every,
            seconds=self.subject.seconds, rows=self.rows, finished=self.finished,
        )  # fmt: skip
        self.let_go()
        self.folder, self._new, self._saved = folder, [], time.monotonic()

    def let_go(self) -> None:
        """Leave the folder as it stands; the run goes on in memory alone."""
        self.close()
        self._new, self.folder = self.rows, None

    @property
    def rows(self) -> list[Row]:
        """All metrics so far, a row a step; of a training, one more at its end."""
        return [*self.folder.rows, *self._new] if self.folder else list(self._new)

    def now(self) -> list[Row]:
        """A line of metrics of the present state, where the last of `rows` is of an earlier one.

        It is made for whoever looks, and not kept: the next step writes its own.
        """
        return [] if self.finished else self.kind.now(self.subject)

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        return self._finished or (self.folder is not None and self.folder.mark.finished)

    def walk(self) -> Iterator[float]:
        """Step to the end, saving as it goes; the share of the work done after every step.

        Whoever stops half-way, or is interrupted, has the last finished step saved by `close`.
        """
        if self.finished:
            return
        for share in self.subject.walk():
            self._new.extend(self.kind.metrics(self.subject))
            self._finished = share >= 1.0
            due = time.monotonic() - self._saved >= SECONDS
            if self.folder and (due or self._finished or len(self._new) >= self.folder.every):
                self.save()
            yield share

    def back(self, state: Any, seconds: float, rows: int) -> None:
        """Return to an earlier state of the run, with as many rows; its folder is let go."""
        self.let_go()
        self.subject.state, self.subject.seconds = state, seconds
        self._new, self._finished = self._new[:rows], False

    def finish(self) -> None:
        """Step to the end."""
        for _ in self.walk():
            pass

    def save(self) -> None:
        """A checkpoint of the last step, if the run has a folder."""
        if self.folder is not None:
            state, seconds = self.subject.state, self.subject.seconds
            self.folder.save(state, seconds, self._new, self._finished)
            self._new, self._saved = [], time.monotonic()

    def close(self) -> None:
        """Save what is new, and let another process have the folder; may be called twice."""
        if self.folder is None:
            return
        try:
            if self._new:
                self.save()
        finally:
            self.folder.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
