"""The thread that samples: the newest job wins, closing joins, no error is lost."""

import logging
import threading
import time

import pytest

from workbench.views import worker as worker_module
from workbench.views.worker import Worker

PATIENCE = 60.0


def blocks(gate, values):
    """A job that waits for `gate` before every block."""
    for value in values:
        assert gate.wait(PATIENCE)
        yield {"value": value}


def test_newest_job_wins_even_over_a_block_that_is_under_way():
    worker, inside, gate = Worker(), threading.Event(), threading.Event()

    def old():
        inside.set()
        assert gate.wait(PATIENCE)
        yield {"value": "old"}

    worker.start("job", old())
    assert inside.wait(PATIENCE)  # its block runs now
    worker.start("job", iter([{"value": "new"}]))
    gate.set()
    assert worker.wait("job", PATIENCE)["value"] == "new"
    worker.close()


def test_results_are_replaced_and_never_changed():
    worker, gate = Worker(), threading.Event()
    worker.start("job", blocks(gate, range(3)))
    before = worker.results
    gate.set()
    worker.wait("job", PATIENCE)
    assert before is not worker.results
    assert "value" not in before["job"]
    with pytest.raises(TypeError):
        worker.results["job"] = {}
    worker.close()


def test_jobs_take_turns_and_a_paused_one_waits():
    worker, gate = Worker(), threading.Event()
    worker.start("held", blocks(gate, range(5)))
    worker.pause("held")
    worker.start("other", iter([{"value": 1}]))
    gate.set()
    worker.wait("other", PATIENCE)
    assert worker.results["held"]["state"] == "paused"
    worker.pause("held", False)
    assert worker.wait("held", PATIENCE)["value"] == 4
    worker.close()


def test_close_joins_the_thread_and_may_be_called_twice():
    worker = Worker()
    worker.start("endless", iter(lambda: {"value": 0}, None))
    assert worker.alive
    worker.close()
    assert not worker.alive
    worker.close()
    worker.start("late", iter([{"value": 1}]))
    assert not worker.alive


def test_an_error_in_a_job_is_published_and_the_thread_lives():
    worker = Worker()

    def bad():
        yield {"value": 1}
        raise ZeroDivisionError("by nothing")

    worker.start("bad", bad())
    found = worker.wait("bad", PATIENCE)
    assert found["state"] == "error"
    assert found["message"] == "ZeroDivisionError: by nothing"
    worker.start("good", iter([{"value": 2}]))
    assert worker.wait("good", PATIENCE)["value"] == 2
    worker.close()


def test_a_job_that_rests_leaves_the_thread_to_others_and_to_its_own_successor():
    worker, rested = Worker(), threading.Event()

    def slow(value):
        yield {"value": value, "rest": 3600.0}
        rested.set()

    worker.start("slow", slow(1))
    worker.start("other", iter([{"value": 2}]))
    assert worker.wait("other", PATIENCE)["value"] == 2
    assert dict(worker.results["slow"]) == {"value": 1, "state": "running"}
    worker.start("slow", iter([{"value": 3}]))
    assert worker.wait("slow", PATIENCE)["value"] == 3
    worker.start("slow", slow(4))
    worker.close()
    assert not worker.alive and not rested.is_set()


def test_a_short_rest_ends_by_itself():
    worker = Worker()
    worker.start("slow", iter([{"value": k, "rest": 0.01} for k in range(3)]))
    assert worker.wait("slow", PATIENCE)["value"] == 2
    worker.close()


@pytest.fixture
def hands():
    """Hands on sliders; they are taken off at the end."""
    yield Worker.give_way
    Worker.give_way(0.0)


def test_a_job_waits_while_a_hand_is_on_any_slider_and_closing_does_not(hands, monkeypatch):
    monkeypatch.setattr("workbench.views.worker._PATIENCE", 3600.0)
    worker = Worker()
    hands(3600.0)
    worker.start("job", iter([{"value": 1}]))
    with pytest.raises(TimeoutError):
        worker.wait("job", 0.2)
    hands(0.0)
    worker.start("other", iter([{"value": 2}]))  # wakes the thread
    assert worker.wait("job", PATIENCE)["value"] == 1
    hands(3600.0)
    worker.close()
    assert not worker.alive


def test_a_worker_does_not_wait_for_hands_for_ever(hands, monkeypatch):
    monkeypatch.setattr("workbench.views.worker._PATIENCE", 0.05)
    worker = Worker()
    hands(3600.0)
    worker.start("job", iter([{"value": 1}]))
    assert worker.wait("job", PATIENCE)["value"] == 1
    worker.close()


@pytest.mark.parametrize("jobs", [2, 3])
def test_jobs_take_turns_block_by_block(jobs):
    worker, gate, order = Worker(), threading.Event(), []

    def counting(name):
        for _ in range(3):
            assert gate.wait(PATIENCE)
            order.append(name)
            yield {}

    for name in range(jobs):
        worker.start(str(name), counting(name))
    gate.set()
    for name in range(jobs):
        worker.wait(str(name))
    assert order == list(range(jobs)) * 3
    worker.close()


def test_a_logger_that_a_worker_makes_does_not_stop_who_walks_them():
    for number, _ in zip(range(3), logging.root.manager.loggerDict.values(), strict=False):
        logging.getLogger(f"made while others are walked {number}")


def test_workers_of_one_process_take_turns(monkeypatch):
    """With one slot no two blocks run at once, and every worker gets to its end."""
    monkeypatch.setattr(worker_module, "_SLOTS", threading.Semaphore(1))
    monkeypatch.setattr(worker_module, "_HELD_UP", PATIENCE)
    inside, most = [], []

    def blocks(k):
        for _ in range(5):
            inside.append(k)
            most.append(len(inside))
            time.sleep(0.002)
            inside.remove(k)
            yield {"value": k}

    workers = [Worker() for _ in range(4)]
    try:
        for k, one in enumerate(workers):
            one.start("job", blocks(k))
        assert [one.wait("job")["value"] for one in workers] == [0, 1, 2, 3]
    finally:
        for one in workers:
            one.close()
    assert max(most) == 1 and len(most) == 20


def test_a_long_block_of_one_worker_does_not_hold_up_the_others(monkeypatch):
    monkeypatch.setattr(worker_module, "_SLOTS", threading.Semaphore(1))
    begun, over = threading.Event(), threading.Event()

    def long():
        begun.set()
        assert over.wait(PATIENCE)
        yield {"value": "long"}

    slow, quick = Worker(), Worker()
    try:
        slow.start("job", long())
        assert begun.wait(PATIENCE)
        quick.start("job", ({"value": k} for k in range(3)))
        assert quick.wait("job", PATIENCE)["value"] == 2  # while the slot is taken
        over.set()
        assert slow.wait("job", PATIENCE)["value"] == "long"
    finally:
        over.set()
        slow.close()
        quick.close()
    assert worker_module._SLOTS.acquire(blocking=False)  # given back once
    assert not worker_module._SLOTS.acquire(blocking=False)
