"""The command line as processes: exit codes, what goes where, Ctrl-C."""

import os
import pty
import signal
import subprocess

import pytest
from commands import KEYS, one_object
from processes import process, read_all, read_until


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
        out, _ = read_all(running.stdout, ours)
        assert running.wait(60) == 130
    assert b"monte_carlo" in seen
    found = one_object(out)
    assert found["info"]["interrupted"] is True and found["forwards"] > 0
    assert found["log10_p"] == pytest.approx(-3.0, abs=0.5)
