"""Bars on stderr for what lasts longer than a second."""

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_PATIENCE = 1.0


class Bar:
    """A bar that appears when the work outlasts a second, if stderr is a terminal.

    It is wiped when the work ends, so that only results stay on the screen.

    Args:
        label: what is under way.
    """

    def __init__(self, label: str):
        self._lock = threading.Lock()
        self._done = False
        self._progress: Progress | None = None
        if not sys.stderr.isatty():
            return
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(label, total=None)
        self._timer = threading.Timer(_PATIENCE, self._show)
        self._timer.daemon = True

    def _show(self) -> None:
        with self._lock:
            if self._progress is not None and not self._done:
                self._progress.start()

    def __enter__(self) -> "Bar":
        if self._progress is not None:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is None:
            return
        self._timer.cancel()
        with self._lock:
            self._done = True
            self._progress.stop()

    def update(self, share: float, label: str | None = None) -> None:
        """The share of the work that is done, in [0, 1]."""
        if self._progress is not None:
            self._progress.update(self._task, total=1.0, completed=share, description=label)
