"""One background thread that steps through sampling jobs; it knows nothing of any interface.

A job is an iterator; every `next` is one block of work and gives a dict to publish. Several jobs
take turns, one block each. A job that is to go slowly names under `rest` the seconds in which it
leaves the thread to others; that entry is not published. The newest request wins: a job that was
replaced while one of its blocks ran is never published again. Readers see `results`, a dict that is
replaced whole and never changed, so they need no lock.
"""

import atexit
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from workbench.errors import WorkbenchError

_NICE = 5
_SLOTS = threading.Semaphore(max(1, (os.cpu_count() or 2) - 1))
"""Blocks that run at once, of all workers of the process together: of twenty visitors' jobs each
would hold the interpreter for a moment, and the handlers of pages would wait for all of them."""
_PATIENCE = 1.0
"""Seconds after which a worker begins a block though hands are still on sliders."""
_HELD_UP = 0.25
"""Seconds after which a block begins though all slots are taken: by blocks of a large model."""
RUNNING, PAUSED, DONE, ERROR = "running", "paused", "done", "error"
_REST = "rest"


class _Quiet:
    """Until when no worker begins a block."""

    until = 0.0


@dataclass(eq=False)
class _Job:
    blocks: Iterator[dict[str, Any]]
    generation: int
    payload: dict[str, Any] = field(default_factory=dict)
    state: str = RUNNING
    turn: int = 0
    """When it last had the thread."""
    due: float = 0.0
    """Until when it rests."""


class Worker:
    """Runs jobs by name, one block at a time, in one thread that starts with the first job.

    >>> worker = Worker()
    >>> worker.start("squares", ({"value": k * k} for k in range(4)))
    >>> worker.wait("squares")["value"]
    9
    >>> worker.close()
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._generation = 0
        self._turn = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._results: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @property
    def results(self) -> Mapping[str, Mapping[str, Any]]:
        """What every job published last, with its `state`; a new object after every change."""
        return self._results

    @property
    def busy(self) -> bool:
        """Whether some job has blocks left and is not paused."""
        return any(r["state"] == RUNNING for r in self._results.values())

    @property
    def alive(self) -> bool:
        """Whether the thread exists and runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, name: str, blocks: Iterator[dict[str, Any]], **payload: Any) -> None:
        """Begin a job, in place of any of the same name; `payload` is published at once."""
        with self._change:
            if self._closed:
                return
            self._generation += 1
            self._jobs[name] = _Job(blocks, self._generation, payload)
            self._publish()
            if self._thread is None:
                # Daemonic, so that a crash elsewhere cannot hang the exit; joined by atexit, as a
                # thread that is inside torch while the interpreter ends aborts the process.
                self._thread = threading.Thread(target=self._loop, name="sampling", daemon=True)
                atexit.register(self.close)
                self._thread.start()
            self._change.notify_all()

    def drop(self, *names: str) -> None:
        """Forget jobs and what they published; all of them where none is named."""
        with self._change:
            for name in names or tuple(self._jobs):
                self._jobs.pop(name, None)
            self._publish()
            self._change.notify_all()

    def pause(self, name: str, paused: bool = True) -> None:
        """Hold a job after its present block, or let it go on."""
        with self._change:
            job = self._jobs.get(name)
            if job is not None and job.state in (RUNNING, PAUSED):
                job.state = PAUSED if paused else RUNNING
                self._publish()
                self._change.notify_all()

    def wait(self, name: str, timeout: float = 60.0) -> Mapping[str, Any]:
        """Block until a job has ended; its last publication. Raises `TimeoutError`."""
        with self._change:
            over = self._change.wait_for(
                lambda: self._results.get(name, {}).get("state") in (DONE, ERROR), timeout
            )
            if not over:
                raise TimeoutError(f"the job {name!r} did not end within {timeout} s")
            return self._results[name]

    @staticmethod
    def give_way(seconds: float) -> None:
        """Let no worker of the process begin a block for this long, or for as long as it has
        patience, so that a hand on a slider has the processor."""
        _Quiet.until = time.monotonic() + seconds

    def close(self) -> None:
        """Stop after the present block and wait for the thread to end; may be called twice."""
        with self._change:
            self._closed = True
            self._jobs.clear()
            self._publish()
            self._change.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            atexit.unregister(self.close)

    def _publish(self) -> None:
        self._results = MappingProxyType(
            {
                name: MappingProxyType({**job.payload, "state": job.state})
                for name, job in self._jobs.items()
            }
        )

    def _next(self) -> tuple[str, _Job] | None:
        """The job that has waited longest, of those that do not rest; None once it is closed."""
        while not self._closed:
            now = time.monotonic()
            running = [(n, j) for n, j in self._jobs.items() if j.state == RUNNING]
            ready = [pair for pair in running if pair[1].due <= now]
            if ready:
                return min(ready, key=lambda pair: pair[1].turn)
            self._change.wait(min((j.due - now for _, j in running), default=None))
        return None

    def _wait_for_hands(self) -> None:
        latest = time.monotonic() + _PATIENCE
        while not self._closed and (rest := min(_Quiet.until, latest) - time.monotonic()) > 0.0:
            self._change.wait(rest)

    def _loop(self) -> None:
        torch.set_num_threads(1)
        _step_back()
        while True:
            with self._change:
                self._wait_for_hands()
                chosen = self._next()
                if chosen is None:
                    return
            name, job = chosen
            self._turn += 1
            job.turn = self._turn
            state = RUNNING
            news: dict[str, Any] = {}
            try:
                with _turn():
                    news = next(job.blocks)
            except StopIteration:
                state = DONE
            except WorkbenchError as error:
                state, news = ERROR, {"message": str(error)}
            except Exception as error:  # of the user's model or spec: shown, and the thread lives
                state, news = ERROR, {"message": f"{type(error).__name__}: {error}"}
            with self._change:
                current = self._jobs.get(name)
                if current is None or current.generation != job.generation:
                    continue
                job.due = time.monotonic() + news.get(_REST, 0.0)
                job.payload = {**job.payload, **{k: v for k, v in news.items() if k != _REST}}
                if state != RUNNING:
                    job.state = state
                self._publish()
                self._change.notify_all()


@contextmanager
def _turn() -> Iterator[None]:
    had = _SLOTS.acquire(timeout=_HELD_UP)
    try:
        yield
    finally:
        if had:
            _SLOTS.release()


def _step_back() -> None:
    """Let this thread have what the handlers of pages, and a browser beside them, leave.

    On Linux alone, where a priority is a thread's own: elsewhere it would slow the whole process.
    """
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICE)
