"""Twenty visitors at once on one server: a slider's wait, and what is left when they have gone."""

import importlib
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.bench.base import Bench, Column, Report, Row
from workbench.bench.latency import (
    STATE,
    by_keys,
    measure,
    need_browser,
    page_on,
    percentile95,
    served,
)
from workbench.errors import NotConverged

VISITORS = 20
TARGET_P95_MS = 400.0

_MOVES = {True: 10, False: 60}
_PAUSE = 3.0  # seconds between two moves of a visitor
_GONE = 10.0  # seconds in which a server notices that a page is gone


def run(quick: bool, report: Report) -> Iterator[Row]:
    """A row with one visitor, one with all of them, one when all but that one have gone.

    Two visitors are pages of a browser with Monte Carlo running behind them; the others hold a
    session each, as a page would, and move its slider every few seconds.

    Raises:
        Unsupported: where Playwright, the views or a Chromium are missing.
    """
    need_browser()
    with served() as (url, pid), page_on(url + STATE) as page:
        report(0.1, "alone")
        yield _row("alone", 1, _moved(page, _MOVES[quick]), pid)
        other = page.context.browser.new_page()
        other.goto(url + STATE)
        report(0.3, "visitors come")
        with Crowd(url, VISITORS - 2) as moves:
            report(0.5, "among them")
            yield {**_row("among all", VISITORS, _moved(page, _MOVES[quick]), pid), **moves()}
        other.close()
        report(0.8, "they go")
        page.wait_for_timeout(1e3 * _GONE)
        yield _row("when they have gone", 1, _moved(page, _MOVES[quick]), pid)
        page.goto("about:blank")
        page.wait_for_timeout(1e3 * _GONE)
        before = _cpu(pid)
        time.sleep(2.0)
        after = _cpu(pid)
        yield {
            "when": "nobody is there", "visitors": 0, "memory_mib": _memory(pid),
            "cpu_share": None if before is None or after is None else (after - before) / 2.0,
        }  # fmt: skip


class Crowd:
    """Sessions that move a slider each, in a thread; `moves()` tells what they waited.

    Args:
        url: of the app.
        count: of visitors.

    Raises:
        NotConverged: on entering, where the server gives them no sessions.
    """

    def __init__(self, url: str, count: int):
        self.url, self.count = url, count
        self.waits: list[float] = []
        self._turned_away: Exception | None = None
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        self._ready.wait()
        if self._turned_away is not None:
            raise NotConverged(f"the server gave {self.count} visitors no sessions") from (
                self._turned_away
            )
        return lambda: {"others_ms": statistics.median(self.waits) if self.waits else None}

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()

    def _visit(self) -> None:
        try:
            pull = importlib.import_module("bokeh.client").pull_session
            importlib.import_module("workbench.views.app")  # the models that its pages hold
            importlib.import_module("panel").extension("plotly")
            sessions = [pull(url=self.url) for _ in range(self.count)]
        except Exception as error:  # whatever it is, whoever waits is told of it
            self._turned_away = error
            return
        finally:
            self._ready.set()
        sliders = [_slider(session) for session in sessions]
        turn = 0
        while not self._over.is_set():
            session, slider = sessions[turn % self.count], sliders[turn % self.count]
            began = time.monotonic()
            slider.value += 0.05 if (turn // self.count) % 2 == 0 else -0.05
            session.force_roundtrip()
            took = time.monotonic() - began
            self.waits.append(1e3 * took)
            turn += 1
            self._over.wait(max(0.0, _PAUSE / self.count - took))
        for session in sessions:
            session.close()


def _slider(session: Any) -> Any:
    """The slider of the spread of D in a session's document."""
    named = (m for m in session.document.models if getattr(m, "css_classes", None))
    return next(m for m in named if "wb-slider-sigma" in m.css_classes)


def _moved(page: Any, count: int) -> list[float]:
    return [measure(page, move) for move in by_keys(page, count)]


def _row(when: str, visitors: int, found: list[float], pid: int) -> Row:
    return {
        "when": when, "visitors": visitors, "moves": len(found),
        "median_ms": statistics.median(found), "p95_ms": percentile95(found),
        "target_p95_ms": TARGET_P95_MS, "memory_mib": _memory(pid),
    }  # fmt: skip


def _memory(pid: int) -> float | None:
    """MiB that the server holds; None where it is not known, as it is on Linux alone."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    held = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(held.split()[1]) / 1024.0


def _cpu(pid: int) -> float | None:
    """Seconds of processor time that the server has used; None where it is not known, likewise."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def conclude(rows: list[Row]) -> Iterator[str]:
    """Whether the target was met, and whether anything stayed behind."""
    full = next((r for r in rows if r["visitors"] == VISITORS), None)
    if full is not None:
        met = "met" if full["p95_ms"] <= TARGET_P95_MS else "missed"
        yield (
            f"Among {VISITORS} visitors, two of them with Monte Carlo running, 95% of a slider's "
            f"moves are painted within {full['p95_ms']:.0f} ms (target {TARGET_P95_MS:.0f}: "
            f"{met}); the others wait {full['others_ms']:.0f} ms for the server's answer, in the "
            "median."
        )
    empty = next((r for r in rows if r["visitors"] == 0), None)
    if empty is not None and empty["cpu_share"] is not None:
        yield (
            f"When all have gone the server holds {empty['memory_mib']:.0f} MiB and uses "
            f"{empty['cpu_share']:.0%} of a core: jobs end with their sessions."
        )


CROWD = Bench(
    name="crowd",
    about="twenty visitors at once on one server: a slider's wait, memory before and after",
    columns=(
        Column("when", "when"),
        Column("visitors", "visitors", "count"),
        Column("moves", "moves", "count"),
        Column("median_ms", "median ms", "ms"),
        Column("p95_ms", "p95 ms", "ms"),
        Column("target_p95_ms", "target", "ms"),
        Column("memory_mib", "MiB", "count"),
    ),
    run=run,
    conclude=conclude,
)
