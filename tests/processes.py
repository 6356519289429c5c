"""The command line as a process of its own, on a terminal or without one."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# SIGINT may be ignored in processes that a shell starts in the background; here it must not be.
DRIVER = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('workbench', run_name='__main__')"
)


def process(*words, **how):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", DRIVER, *words]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, **how)


def read_until(terminal, wanted, patience):
    seen, end = b"", time.monotonic() + patience
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {wanted!r} within {patience} s, only {seen[-500:]!r}"
        seen += os.read(terminal, 4096)
    return seen


def read_all(pipe, terminal):
    """What a process says on its stdout, and on its terminal, until both are closed."""
    out, said, open_ends = "", b"", {pipe, terminal}
    while open_ends:
        ready = select.select(list(open_ends), [], [], 60.0)[0]
        assert ready, f"a minute of silence after {out + said.decode()!r}"
        for end in ready:
            if end is pipe:
                text = pipe.read()
                out += text
                open_ends.discard(pipe)
            else:
                try:
                    said += os.read(terminal, 4096)
                except OSError:  # the other side is closed
                    open_ends.discard(terminal)
    os.close(terminal)
    return out, said.decode()


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
