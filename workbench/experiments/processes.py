"""Processes that work side by side, and what is done where one of them dies."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from workbench.experiments.hearing import result, unheard


class Processes:
    """An executor of spawned processes, of which one may die: only its own work is lost then.

    A pool whose process dies (killed, out of memory) gives up all that it has not ended. That is
    handed to a second pool; where this breaks too, what is left is done one by one, each in a
    process of its own: so a work that kills its process is known, and fails alone.

    Args:
        count: of processes, each of one thread.
    """

    def __init__(self, count: int):
        self._count = count
        self._pool = _pool(count)
        self._breaks = 0
        self._works: list[_Work] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> "_Work":
        """A work with `result()`."""
        work = _Work(self, fn, args)
        self._works.append(work)
        self._hand_out([work])
        return work

    def mend(self, broken: ProcessPoolExecutor) -> None:
        """A new pool takes what a broken one has given up, unless that was seen to before."""
        if broken is self._pool:
            self._breaks += 1
            broken.shutdown()  # then all its futures have ended
            self._pool = _pool(self._count)
            self._hand_out([w for w in self._works if w.pool is broken and w.given_up])

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """As that of `concurrent.futures`."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _hand_out(self, works: "list[_Work]") -> None:
        for work in works:
            work.pool = None if self._breaks > 1 else self._pool
            if work.pool is not None:
                try:
                    with unheard():
                        work.future = work.pool.submit(work.fn, *work.args)
                except BrokenProcessPool as error:  # it broke between two works
                    work.future = Future()
                    work.future.set_exception(error)


class _Work:
    """A future that outlives the pool it was handed to; without a pool, to be done by itself."""

    pool: ProcessPoolExecutor | None
    future: Future[Any]

    def __init__(self, team: Processes, fn: Callable[..., Any], args: tuple[Any, ...]):
        self.fn, self.args, self._team = fn, args, team

    @property
    def given_up(self) -> bool:
        return self.future.done() and isinstance(self.future.exception(), BrokenProcessPool)

    def result(self) -> Any:
        while (pool := self.pool) is not None:
            try:
                return result(self.future)
            except BrokenProcessPool:
                self._team.mend(pool)
        with _pool(1) as own:
            with unheard():
                future = own.submit(self.fn, *self.args)
            return result(future)


def _pool(count: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_alone)


def _alone() -> None:
    """One thread a process: the processes are what runs side by side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_head, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _end_with_head() -> None:
    """Where the head is killed nobody is left to end its processes, and none needs their work."""
    head = multiprocessing.parent_process()
    assert head is not None
    head.join()
    os._exit(1)  # runs are saved whole, and a lock ends with its process
