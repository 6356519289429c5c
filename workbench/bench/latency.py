"""Slider to painted estimate in the served app, with Monte Carlo running behind."""

import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from workbench.bench.base import Bench, Column, Report, Row
from workbench.errors import NotConverged, Unsupported

TARGET_MEDIAN_MS, TARGET_P95_MS = 100.0, 250.0

_MOVES = {True: 10, False: 60}
_PATIENCE = 60.0
_SLIDER = ".wb-slider-sigma .noUi-handle"
STATE = "?budget=100000000"  # so that Monte Carlo is still counting when the bench ends
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# The clock starts at the time stamp that the browser gave the input event. It stops in the first
# task after the first frame in which the estimate of `moments` reads otherwise.
_PROBE = """
() => {
  const deep = (root, selector) => {
    const hit = root.querySelector(selector);
    if (hit) return hit;
    for (const element of root.querySelectorAll("*")) {
      const below = element.shadowRoot && deep(element.shadowRoot, selector);
      if (below) return below;
    }
    return null;
  };
  let table = null;
  const cell = (name) => {
    if (!table || !table.isConnected) table = deep(document, ".wb-estimates");
    return table && deep(table.shadowRoot, `[class*="wb-estimate-${name}"]`);
  };
  const value = () => cell("moments")?.dataset.log10p ?? null;
  let moved = null;
  const stamp = (event) => { moved ??= event.timeStamp; };
  window.addEventListener("keydown", stamp, true);
  window.addEventListener("pointermove", stamp, true);
  window.probe = {
    value,
    sampling: () => cell("monte_carlo")?.closest("tr")?.className.includes("running") ?? false,
    arm: () => {
      const before = value(), start = performance.now();
      moved = null;
      window.probe.result = new Promise((resolve) => {
        const look = () => {
          if (moved !== null && value() !== before) {
            const after = new MessageChannel();
            after.port1.onmessage = () => resolve(performance.now() - moved);
            after.port2.postMessage(0);
          } else if (performance.now() - start > 30000) resolve(null);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
    },
  };
}
"""


def run(quick: bool, report: Report) -> Iterator[Row]:
    """One row a way of moving the slider.

    Raises:
        Unsupported: where Playwright, the views or a Chromium are missing.
        NotConverged: where the app does not come up, or the estimate does not follow the slider.
    """
    need_browser()
    report(0.0, "starting the app")
    with served() as (url, _), page_on(url + STATE) as page:
        ways = (("arrow keys", by_keys), ("dragging", _by_dragging))
        for i, (name, moves) in enumerate(ways):
            found: list[float] = []
            behind = 0
            count = _MOVES[quick]
            for k, move in enumerate(moves(page, count)):
                report((i + k / count) / len(ways), f"{name}, move {k + 1}")
                found.append(measure(page, move))
                behind += bool(page.evaluate("window.probe.sampling()"))
            yield _row(name, found, behind)


def need_browser() -> None:
    """Raises `Unsupported` unless the app and what drives a browser are installed."""
    for module, extra in (("playwright", "test"), ("panel", "views")):
        if importlib.util.find_spec(module) is None:
            raise Unsupported(
                f"measuring latency without {module}",
                f"install the {extra!r} extra: pip install 'catastrophe-workbench[{extra}]'",
            )


def _row(name: str, found: list[float], behind: int) -> Row:
    p95 = percentile95(found)
    return {
        "action": name,
        "moves": len(found),
        "sampling_behind": behind,
        "median_ms": statistics.median(found),
        "target_median_ms": TARGET_MEDIAN_MS,
        "p95_ms": p95,
        "target_p95_ms": TARGET_P95_MS,
        "worst_ms": max(found),
    }


def percentile95(found: list[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    ordered = sorted(found)
    return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


def by_keys(page: Any, count: int) -> Iterator[Callable[[], None]]:
    """Presses of the arrow keys on the slider, there and back."""
    handle = page.locator(_SLIDER)
    handle.focus()
    for k in range(count):
        key = "ArrowLeft" if (k // 5) % 2 else "ArrowRight"
        yield lambda key=key: handle.press(key)


def _by_dragging(page: Any, count: int) -> Iterator[Callable[[], None]]:
    """Moves of the mouse with the slider's handle held, there and back."""
    box = page.locator(_SLIDER).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(count):
        x += -8.0 if (k // 5) % 2 else 8.0
        yield lambda x=x: page.mouse.move(x, y)
    page.mouse.up()


def measure(page: Any, move: Callable[[], None]) -> float:
    """Milliseconds from the input event to the frame that shows another estimate."""
    page.wait_for_timeout(150)  # a hand that looks before it moves on
    page.evaluate("window.probe.arm()")
    move()
    took = page.evaluate("window.probe.result")
    if took is None:
        raise NotConverged("the estimate did not follow the slider within 30 seconds")
    return float(took)


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """The app on a free port in a process of its own; its address and process number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench", "serve", "--no-browser", "--port", str(port)]
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **one_thread}, stdout=subprocess.DEVNULL, stderr=log
        )
        try:
            wait_for(process, port, log)
            yield f"http://localhost:{port}/", process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(process: "subprocess.Popen[bytes]", port: int, log: TextIO) -> None:
    """Until the process listens on its port.

    Raises:
        NotConverged: where it ends, with the last line of its log, or does not answer in time.
    """
    start = time.monotonic()
    while time.monotonic() - start < _PATIENCE:
        if process.poll() is not None:
            log.seek(0)
            said = log.read().strip().splitlines()
            raise NotConverged(f"the app ended at once: {said[-1] if said else 'without a word'}")
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.1)
    raise NotConverged(f"the app did not answer within {_PATIENCE:.0f} seconds")


@contextmanager
def page_on(url: str) -> Iterator[Any]:
    """A page of a headless Chromium that shows the app's first estimate."""
    from playwright.sync_api import Error, sync_playwright

    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        except Error:
            raise Unsupported(
                "measuring latency without a Chromium", "install one that is on the PATH"
            ) from None
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url)
            page.evaluate(_PROBE)
            page.wait_for_function("window.probe.value() !== null", timeout=_PATIENCE * 1e3)
            page.wait_for_function("window.probe.sampling()", timeout=_PATIENCE * 1e3)
            yield page
        finally:
            browser.close()


def conclude(rows: list[Row]) -> Iterator[str]:
    """Whether the targets were met."""
    met = all(
        row["median_ms"] <= TARGET_MEDIAN_MS and row["p95_ms"] <= TARGET_P95_MS for row in rows
    )
    yield (
        f"From the input event to the painted estimate of `moments`, headless Chromium. Targets: "
        f"median {TARGET_MEDIAN_MS:.0f} ms, 95% within {TARGET_P95_MS:.0f} ms: "
        f"{'met' if met else 'missed'}."
    )


LATENCY = Bench(
    name="latency",
    about="slider to painted estimate in headless Chromium, Monte Carlo running behind",
    columns=(
        Column("action", "slider moved by"),
        Column("moves", "moves", "count"),
        Column("sampling_behind", "sampling behind", "count"),
        Column("median_ms", "median ms", "ms"),
        Column("target_median_ms", "target", "ms"),
        Column("p95_ms", "p95 ms", "ms"),
        Column("target_p95_ms", "target", "ms"),
        Column("worst_ms", "worst ms", "ms"),
    ),
    run=run,
    conclude=conclude,
)
