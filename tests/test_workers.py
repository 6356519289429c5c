"""Sweeps on processes and on a Dask cluster: the same rows, also when a worker is killed midway."""

import csv
import math
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from commands import ask, refuse, workbench

import workbench as wb
from workbench.experiments import estimated, grid, hearing, sweep
from workbench.experiments import workers as hired
from workbench.experiments.workers import workers

CONFIGS = grid(
    problem=["A_d10_1e-3"], estimator=["monte_carlo"], forwards=[400_000], seed=range(8)
)  # fmt: skip


def numbers(rows):
    return [(row["seed"], row["log10_p"]) for row in rows]


def test_processes_of_the_command_line_and_a_sweep_that_goes_on(tmp_path):
    words = ["A_d10_1e-3", "--estimators", "monte_carlo,moments", "--budget", "20000"]
    kept = ["--runs", tmp_path / "runs", "--out", tmp_path / "rows.csv"]
    (tmp_path / "runs").mkdir()
    workbench("sweep", *words, *kept)
    first = (tmp_path / "rows.csv").read_text()
    workbench("sweep", *words, *kept)
    assert (tmp_path / "rows.csv").read_text() == first  # seconds too: nothing ran
    rows = list(csv.DictReader(first.splitlines()))
    assert [row["estimator"] for row in rows] == ["monte_carlo", "moments"]
    assert float(rows[1]["log10_p"]) == pytest.approx(-3.0, abs=1e-6)


def test_a_refusal_in_a_process_costs_no_other_row(tmp_path):
    path = tmp_path / "rows.csv"
    words = ["D_needle_1e-6", "--budget", "3000", "--workers", "1", "--out", path]
    shown = workbench("sweep", *words, "--estimators", "leaves,monte_carlo,moments", code=1).stdout
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert rows[0]["reason"].startswith("Unsupported: the distribution 'gaussian'")
    assert [row["log10_p"] != "" for row in rows] == [False, True, True]
    assert float(rows[1]["log10_p"]) == -math.inf
    assert "D_needle_1e-6 monte_carlo 0  beware: not found within this budget" in shown


def test_every_value_of_a_setting_is_swept_once(monkeypatch, tmp_path):
    monkeypatch.setattr(hired, "_processes", lambda count: iter([None]))  # in this process
    words = ["A_d10_1e-3", "A_d10_1e-3", "--estimators", "subset,subset", "--budget", "300"]
    several = ["--set", "particles=50,100", "--set", "levels=fixed"]
    told = ask("sweep", *words, *several, "--runs", tmp_path)
    assert [row["settings"]["particles"] for row in told["rows"]] == [50, 100]
    assert {row["settings"]["levels"] for row in told["rows"]} == {"fixed"}
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {f"A_d10_1e-3_subset[particles={n}, levels=fixed]_0" for n in (50, 100)}
    shown = workbench("sweep", *words, *several).stdout
    assert "subset[particles=50, levels=fixed]" in shown
    assert len(ask("sweep", *words)["rows"]) == 1
    assert "of one estimator" in refuse("sweep", "A_d10_1e-3", "--set", "particles=50")
    assert "got 0" in refuse("sweep", *words, "--set", "particles=50,0")


def test_what_is_no_problem_is_told_once(tmp_path):
    assert refuse("sweep", "A_d10_1e-3", "nowhere").count("nowhere") == 1
    assert "holds 0 JSON or YAML files" in refuse("sweep", tmp_path)


def dying(config):
    if config["n"] in (2, 5):
        os._exit(9)
    deaf = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return {"square": config["n"] ** 2, "deaf": deaf}


def test_work_whose_process_dies_is_lost_alone():
    with workers(2) as team:
        rows = list(sweep(dying, grid(n=range(7)), team))
    assert [row.get("square") for row in rows] == [0, 1, None, 9, 16, None, 36]
    # Ctrl-C is for their head: they were born deaf to it, and it is not.
    assert all(row["deaf"] for row in rows if "square" in row)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    for row in (rows[2], rows[5]):
        assert row["reason"].startswith("BrokenProcessPool") and not row["refused"]


def test_ctrl_c_that_comes_to_another_thread_ends_the_wait():
    """As where it comes just before a lock is waited for: nothing wakes that wait by itself."""
    waited_for, over = threading.Event(), threading.Event()

    def interrupt():
        waited_for.wait(60.0)
        time.sleep(0.1)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        over.wait(10.0)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(1) as apart, pytest.raises(KeyboardInterrupt):
            future = apart.submit(interrupt)
            waited_for.set()
            try:
                hearing.result(future)
            finally:
                late = future.done()
                over.set()
        assert not late
    finally:
        signal.signal(signal.SIGINT, before)


def test_bad_words_are_refused():
    assert "at least one worker" in refuse("sweep", "A_d10_1e-3", "--workers", "0")
    pytest.importorskip("distributed")
    with pytest.raises(wb.BadInput, match="no Dask scheduler answers"), workers(scheduler="x://y"):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_a_worker_that_is_killed_midway_loses_nothing_and_doubles_nothing():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        workers(scheduler=cluster.scheduler_address) as team,
    ):
        pids = list(team.run(os.getpid).values())
        rows = sweep(estimated, CONFIGS, team)
        made = [next(rows)]
        os.kill(pids[0], signal.SIGKILL)
        made += rows
    assert numbers(made) == numbers(sweep(estimated, CONFIGS))
