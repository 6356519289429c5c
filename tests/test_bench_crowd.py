"""Benches of the served app, without a browser: what they do to a page, and what they keep."""

import itertools
import os
import socket
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from workbench.bench import crowd, latency
from workbench.errors import NotConverged


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


class Page:
    """A page that answers every move after so many milliseconds, and writes down what was done."""

    def __init__(self, took=40.0):
        self.took, self.done = took, []
        self.context = SimpleNamespace(browser=SimpleNamespace(new_page=lambda: Page()))
        self.mouse = SimpleNamespace(
            move=lambda x, y: self.done.append((x, y)),
            down=lambda: self.done.append("down"), up=lambda: self.done.append("up"),
        )  # fmt: skip

    def locator(self, selector):
        assert "wb-slider-sigma" in selector
        return self

    def focus(self):
        self.done.append("focus")

    def press(self, key):
        self.done.append(key)

    def bounding_box(self):
        return {"x": 100.0, "y": 50.0, "width": 20.0, "height": 10.0}

    def wait_for_timeout(self, milliseconds):
        pass

    def goto(self, url):
        self.done.append(url)

    def close(self):
        self.done.append("closed")

    def evaluate(self, script):
        return {"window.probe.result": self.took, "window.probe.sampling()": True}.get(script)


def test_the_slider_is_moved_there_and_back_by_keys_and_by_the_mouse(monkeypatch):
    page = Page()

    @contextmanager
    def served():
        yield "http://here/", os.getpid()

    @contextmanager
    def page_on(url):
        assert url == "http://here/" + latency.STATE
        yield page

    monkeypatch.setattr(latency, "served", served)
    monkeypatch.setattr(latency, "page_on", page_on)
    monkeypatch.setattr(latency, "need_browser", lambda: None)
    keys, drag = latency.run(True, silent)
    assert page.done[:11] == ["focus", *["ArrowRight"] * 5, *["ArrowLeft"] * 5]
    right = [110.0 + 8.0 * k for k in (1, 2, 3, 4, 5, 4, 3, 2, 1, 0)]
    assert page.done[11:] == [(110.0, 55.0), "down", *((x, 55.0) for x in right), "up"]
    assert keys["moves"] == drag["moves"] == keys["sampling_behind"] == 10
    assert keys["median_ms"] == drag["worst_ms"] == 40.0
    page.took = None
    with pytest.raises(NotConverged, match="did not follow the slider"):
        latency.measure(page, lambda: None)


def test_an_app_is_waited_for_until_it_listens(monkeypatch):
    """And no longer than patience lasts."""
    alive = SimpleNamespace(poll=lambda: None)
    with socket.socket() as app:
        app.bind(("127.0.0.1", 0))
        monkeypatch.setattr(latency, "_PATIENCE", 0.15)
        with pytest.raises(NotConverged, match="did not answer within 0 seconds"):
            latency.wait_for(alive, app.getsockname()[1], sys.stderr)
        app.listen()
        monkeypatch.setattr(latency, "_PATIENCE", 60.0)
        latency.wait_for(alive, app.getsockname()[1], sys.stderr)


def visitors(monkeypatch, pull):
    """Sessions come from `pull` instead of from a server."""
    modules = {
        "bokeh.client": SimpleNamespace(pull_session=pull),
        "workbench.views.app": None,
        "panel": SimpleNamespace(extension=lambda name: None),
    }
    monkeypatch.setattr(crowd, "importlib", SimpleNamespace(import_module=modules.__getitem__))


def session():
    slider = SimpleNamespace(css_classes=["wb-slider-sigma"], value=1.0)
    others = [SimpleNamespace(), SimpleNamespace(css_classes=["wb-slider-shift"], value=9.0)]
    found = SimpleNamespace(document=SimpleNamespace(models=[*others, slider]), seen=[], open=True)
    found.force_roundtrip = lambda: found.seen.append(round(slider.value, 6))
    found.close = lambda: setattr(found, "open", False)
    return found


def test_visitors_move_their_sliders_in_turn_there_and_back(monkeypatch):
    came = []
    visitors(monkeypatch, lambda url: came.append(session()) or came[-1])
    monkeypatch.setattr(crowd, "_PAUSE", 0.0)
    with crowd.Crowd("http://here/", 3) as moves:
        assert len(came) == 3
        for _ in range(10_000):  # ten seconds, of which it takes a thousandth
            if len(came[-1].seen) >= 4:
                break
            time.sleep(0.001)
        assert moves()["others_ms"] >= 0.0
    assert not any(one.open for one in came)
    counts = [len(one.seen) for one in came]
    assert max(counts) - min(counts) <= 1
    for one in came:
        assert len(one.seen) >= 4
        assert set(one.seen[::2]) == {1.05} and set(one.seen[1::2]) == {1.0}


def test_visitors_that_are_turned_away_are_told_of(monkeypatch):
    def refuse(url):
        raise OSError("no sessions here")

    visitors(monkeypatch, refuse)
    with pytest.raises(NotConverged, match="gave 5 visitors no sessions"):
        crowd.Crowd("http://here/", 5).__enter__()


def test_a_crowd_comes_and_goes(monkeypatch):
    """Two pages and sessions make twenty; when they have gone the server's processor rests."""
    page, asked = Page(120.0), []

    class Few(crowd.Crowd):
        def __init__(self, url, count):
            asked.append(count)

        def __enter__(self):
            page.took = 390.0
            return lambda: {"others_ms": 77.0}

        def __exit__(self, *_):
            page.took = 130.0

    @contextmanager
    def given(value):
        yield value

    clock = itertools.count(5.0, 0.5)
    monkeypatch.setattr(crowd, "need_browser", lambda: None)
    monkeypatch.setattr(crowd, "served", lambda: given(("http://here/", os.getpid())))
    monkeypatch.setattr(crowd, "page_on", lambda url: given(page))
    monkeypatch.setattr(crowd, "Crowd", Few)
    monkeypatch.setattr(crowd, "time", SimpleNamespace(sleep=lambda s: None))
    monkeypatch.setattr(crowd, "_cpu", lambda pid: next(clock))
    rows = list(crowd.CROWD.run(True, silent))
    assert asked == [crowd.VISITORS - 2]
    assert [r["visitors"] for r in rows] == [1, crowd.VISITORS, 1, 0]
    assert [r.get("p95_ms") for r in rows] == [120.0, 390.0, 130.0, None]
    assert rows[1]["others_ms"] == 77.0 and rows[3]["cpu_share"] == 0.25
    assert page.done[-1] == "about:blank"
    full, empty = crowd.conclude(rows)
    assert "390 ms (target 400: met); the others wait 77 ms" in full and "25% of a core" in empty
