"""Who does the work of a sweep: processes here, or a Dask cluster."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.errors import BadInput, Unsupported
from workbench.experiments.processes import Processes
from workbench.experiments.sweep import Submits

PATIENCE = "10s"
"""How long a scheduler may take to answer."""


@contextmanager
def workers(count: int = 2, scheduler: str | None = None) -> Iterator[Submits]:
    """An executor for `sweep`, for as long as the block lasts; what leaves it early ends its work.

    Args:
        count: local processes, each of one thread.
        scheduler: address of a Dask scheduler, such as "tcp://10.0.0.1:8786", whose workers have
            the same version of the workbench. A worker that dies loses nothing: the scheduler hands
            its work to another, and a result that is there already is not made again.

    Raises:
        BadInput: where no scheduler answers at the address.
        Unsupported: without Dask's `distributed`, which the extra `cluster` installs.
    """
    if scheduler is None:
        if count < 1:
            raise BadInput(f"a sweep needs at least one worker, got {count}")
        yield from _processes(count)
        return
    try:
        from distributed import Client
    except ImportError:
        raise Unsupported(
            "a scheduler without Dask", "pip install 'catastrophe-workbench[cluster]'"
        ) from None
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError, TimeoutError) as error:
        raise BadInput(f"no Dask scheduler answers at {scheduler!r}: {error}") from None
    with client:
        yield client


def _processes(count: int) -> Iterator[Submits]:
    others = set(multiprocessing.active_children())
    pool = Processes(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()  # runs are saved whole, and a lock ends with its process
            child.join()
        raise
    pool.shutdown()
