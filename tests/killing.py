"""Runs in processes of their own, which are killed at random moments."""

import multiprocessing
import os
import random
import signal

from workbench.experiments import Folder, Run

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["workbench", "torch"])
PATIENCE = 60.0


def live(place, reached):
    """What a process does until it is killed: go on with the run, and say how far it came."""
    with Run.resume(place) as run:
        for _ in run.walk():
            reached.value = run.subject.state.steps


def kill_again_and_again(start, folder, kills, longest, last=0):
    """Start runs with `start(path)` and kill the processes that go on with them, `kills` times.

    Every run is carried to its end; a run that ends too early is followed by another one. Checks
    after every death that the folder is whole and that no more steps were lost than it promised.

    Args:
        longest: seconds that a process lives at most.
        last: rows that the end of a run adds to those of its steps.

    Returns:
        The folders, all finished.
    """
    moments, places, died = random.Random(0), [], 0
    while died < kills:
        place = folder / str(len(places))
        start(place).close()
        places.append(place)
        # Without a lock: a process that is killed while it holds one would keep it for ever.
        reached, finished = _CONTEXT.Value("q", 0, lock=False), False
        while not finished:
            process = _CONTEXT.Process(target=live, args=(place, reached))
            process.start()
            process.join(moments.uniform(0.0, longest) if died < kills else PATIENCE)
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
                process.join(PATIENCE)
            assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
            died += process.exitcode != 0
            with Folder.open(place) as kept:
                finished = kept.mark.finished
                assert len(kept.rows) == kept.mark.steps + last * finished
                assert reached.value - kept.mark.steps < kept.every
    return places
