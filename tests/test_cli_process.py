"""The command line as processes: exit codes, what goes where, Ctrl-C."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import KEYS, one_object

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


def test_a_process_prints_its_object_and_nothing_else():
    """Longer than a second, so that a bar would show if stderr were a terminal."""
    words = ("estimate", "A_d10_1e-3", "-e", "monte_carlo", "--seconds", "1.5", "--json")
    with process(*words, stderr=subprocess.PIPE) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0 and err == ""
    assert list(one_object(out)) == KEYS


def test_a_process_that_is_refused_ends_with_2():
    with process("estimate", "nope", "--json", stderr=subprocess.PIPE) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 2 and out == ""
    assert err.count("\n") == 1 and "Traceback" not in err


def test_ctrl_c_ends_a_real_process_with_its_best_estimate():
    """On a terminal; the bar that counts forwards tells when it is well under way."""
    ours, theirs = pty.openpty()
    words = ("estimate", "A_d10_1e-3", "-e", "monte_carlo", "--seconds", "3000", "--json")
    with process(*words, stderr=theirs) as running:
        os.close(theirs)
        seen = read_until(ours, b"forwards", 120.0)
        running.send_signal(signal.SIGINT)
        out = read_all(running.stdout, ours)
    assert b"monte_carlo" in seen
    assert running.returncode == 130
    found = one_object(out)
    assert found["info"]["interrupted"] is True and found["forwards"] > 0
    assert found["log10_p"] == pytest.approx(-3.0, abs=0.5)


def read_until(terminal, wanted, patience):
    seen, end = b"", time.monotonic() + patience
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {wanted!r} within {patience} s, only {seen[-500:]!r}"
        seen += os.read(terminal, 4096)
    return seen


def read_all(pipe, terminal):
    """What a process says on its stdout, while its terminal is kept drained."""
    out, open_ends = "", {pipe, terminal}
    while pipe in open_ends:
        for end in select.select(list(open_ends), [], [], 60.0)[0]:
            if end is pipe:
                text = pipe.read()
                out += text
                open_ends.discard(pipe)
            else:
                try:
                    os.read(terminal, 4096)
                except OSError:  # the other side is closed
                    open_ends.discard(terminal)
    os.close(terminal)
    return out
