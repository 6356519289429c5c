"""A visitor who leaves: the session ends at once, and with it what it was computing."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

PATIENCE = 8.0
"""Seconds; a session without a connection lives for at least 15 by itself."""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) == 0


@pytest.fixture
def served(monkeypatch):
    """The app in a thread: its port, and an event that is set when a session's house closes."""
    pn = pytest.importorskip("panel")
    from workbench.views import access, app
    from workbench.views.rooms import House

    closed, close = threading.Event(), House.close
    monkeypatch.setattr(House, "close", lambda house: (close(house), closed.set()))
    threads, serve = [], pn.serve
    monkeypatch.setattr(pn, "serve", lambda *a, **k: threads.append(serve(*a, threaded=True, **k)))
    port = access.free_port(0, access.LOCALHOST)
    app.serve(port, show=False)
    while not listens(port):
        time.sleep(0.05)
    yield port, closed
    threads[0].stop()


def test_the_session_of_a_page_that_is_left_ends(served):
    from bokeh.client import pull_session

    port, closed = served
    with ThreadPoolExecutor(1) as apart:  # in this thread a browser test may have its loop
        page = apart.submit(pull_session, url=f"http://localhost:{port}/").result()
        assert not closed.is_set()
        apart.submit(page.close).result()
    assert closed.wait(PATIENCE)
