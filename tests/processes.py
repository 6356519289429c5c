"""The command line as a process of its own, on a terminal or without one."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
# SIGINT may be ignored in processes that a shell starts in the background; here it must not be.
DRIVER = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('workbench', run_name='__main__')"
)


@contextmanager
def process(*words, **how):
    """The command in a process, which is killed with all that it started where the block ends
    before it."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", DRIVER, *words]
    how = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True, **how}
    with subprocess.Popen(command, cwd=ROOT, env=env, **how) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def read_until(terminal, wanted, patience):
    seen, end = b"", time.monotonic() + patience
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {wanted!r} within {patience} s, only {seen[-500:]!r}"
        seen += os.read(terminal, 4096)
    return seen


def read_all(pipe, terminal, patience=120.0):
    """What a process says on its stdout, and on its terminal, until both are closed."""
    said, open_ends = {pipe.fileno(): b"", terminal: b""}, {pipe.fileno(), terminal}
    end = time.monotonic() + patience
    while open_ends:
        ready, _, _ = select.select(list(open_ends), [], [], max(0.0, end - time.monotonic()))
        assert ready and time.monotonic() < end, f"not silent after {patience} s, said {said}"
        for source in ready:
            try:
                more = os.read(source, 4096)
            except OSError:  # the other side of a terminal is closed
                more = b""
            said[source] += more
            if not more:
                open_ends.discard(source)
    os.close(terminal)
    return said[pipe.fileno()].decode(), said[terminal].decode()


def children(pid):
    """Process numbers of all that a process has started, and they in turn; of Linux."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
