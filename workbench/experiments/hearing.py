"""Ctrl-C while others work: heard by who waits for them, and by nobody else."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any

_LOOK = 0.5
"""Seconds between two looks."""


def result(future: "Future[Any]") -> Any:
    """What a future comes to, for the main thread to wait for.

    Python hears a signal between two of its instructions. One that comes just before a lock is
    waited for, or to another thread meanwhile, would be heard when the wait ends: after hours.
    """
    while not future.done():
        wait([future], _LOOK)
    return future.result()


@contextmanager
def unheard() -> Iterator[None]:
    """Processes that are started here never hear Ctrl-C, which is for their head: not even while
    they import. This one hears it at the end of the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
