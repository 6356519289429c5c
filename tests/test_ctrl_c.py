"""Ctrl-C at every command that may last: a sentence, 130, soon, and nobody left behind."""

import os
import pty
import signal
import time

import pytest
from processes import alive, children, process, read_all, read_until

LIMIT = 10.0  # seconds; 2 on an idle machine, but other tests have the processor too

LONG = {
    "compare": ("monte_carlo", "compare A_d10_1e-3 --estimators monte_carlo --seconds 3000"),
    "sweep": (
        "1e-3",
        "sweep A_d10_1e-3 B_w32_h2_1e-3 --estimators monte_carlo --seconds 3000 --workers 1",
    ),
    "truth": ("monte_carlo", "truth B_w64_h4_1e-8 --budget 1e9"),
    "attack": ("1e-8", "attack B_w64_h4_1e-8 --steps 1000000 --restarts 1000"),
    "train": ("step", "train plane --steps 1000000"),
    "life": ("simulating", "life --generations 100000000"),
    "coherence": ("heat", "coherence C_digits_p8_s15 --probes 10000000"),
    "bench": ("A_d10", "bench throughput"),
    "notebooks": ("tour", "notebooks 00_tour"),
    "serve": ("localhost", "serve --no-browser --port 0"),
}
"""{command: what its terminal shows once it is under way, and what is typed}."""


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c(name):
    marker, words = LONG[name]
    ours, theirs = pty.openpty()
    with process(*words.split(), stderr=theirs) as running:
        os.close(theirs)
        read_until(ours, marker.encode(), 120.0)
        below = children(running.pid)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        out, said = read_all(running.stdout, ours)
    took = time.monotonic() - began
    print(f"{name}: {took:.2f} s, {len(below)} children")
    assert running.returncode == 130, said
    assert took < LIMIT
    assert "Traceback" not in said + out
    assert said.count("workbench: stopped") == 1, said
    while any(alive(pid) for pid in below) and time.monotonic() < began + LIMIT:
        time.sleep(0.05)  # what watches over a pool ends a moment after it
    assert not [pid for pid in below if alive(pid)]
