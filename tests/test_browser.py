"""The screen in a real browser: the served app, and a notebook in JupyterLab with both faces."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

ROOT = Path(__file__).parents[1]
PATIENCE = 90_000  # ms: the longest wait for a condition, on a loaded machine
LOCAL = {"localhost", "127.0.0.1", ""}
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PANEL_INLINE": "true"}

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@contextmanager
def program(arguments, ready, cwd, log):
    """A server in a process of its own; yields the match of `ready` in what it prints."""
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=ENV, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        found = None
        while found is None:
            found = re.search(ready, log.read_text())
            if process.poll() is not None:
                pytest.fail(f"it ended with {process.returncode}:\n{log.read_text()}")
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        yield found
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Watch:
    """What a page says and asks for, beyond what it should."""

    def __init__(self, page):
        self.errors, self.outside = [], []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        page.on("request", self._request)

    def _request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOCAL:
            self.outside.append(request.url)

    def clean(self):
        assert not self.errors
        assert not self.outside


def number(locator):
    """log10 P as the cell holds it."""
    return float(locator.get_attribute("data-log10p"))


def changed(cell, before):
    """Wait until the estimate differs from `before`; its new value."""
    expect(cell).not_to_have_attribute("data-log10p", before, timeout=PATIENCE)
    return number(cell)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    log = tmp_path_factory.mktemp("app") / "log"
    arguments = ["-m", "workbench.views.app", "--port", "0", "--no-browser"]
    with program(arguments, r"http://localhost:(\d+)", ROOT, log) as found:
        yield f"http://localhost:{found[1]}/"


def test_app_shows_estimates_unasked_and_follows_the_slider(address, page):
    watch = Watch(page)
    page.goto(address)
    cell = page.locator(".wb-estimate-moments")
    cell.wait_for(timeout=PATIENCE)
    before = cell.get_attribute("data-log10p")
    first = float(before)
    assert -15 < first < -3
    # Monte Carlo counts by itself.
    counted = page.locator(".wb-table tr", has_text="Monte Carlo").locator("td").nth(4)
    expect(counted).to_have_text(re.compile(r"\d"), timeout=PATIENCE)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
    handle = page.locator(".wb-slider-sigma .noUi-handle")
    handle.focus()
    page.keyboard.press("ArrowRight")
    wider = changed(cell, before)
    assert wider > first  # a wider D makes the catastrophe likelier
    page.wait_for_url(re.compile(r"sigma=1\.\d"), timeout=PATIENCE)
    page.get_by_text("Here there is none", exact=False).wait_for(timeout=PATIENCE)
    watch.clean()


def test_app_opens_where_its_link_points(address, page):
    watch = Watch(page)
    page.goto(address + "?problem=A_d10_1e-6&seed=7&theme=dark")
    cell = page.locator(".wb-estimate-moments")
    cell.wait_for(timeout=PATIENCE)
    assert number(cell) == pytest.approx(-6.0, abs=1e-6)
    assert page.locator(".wb-seed input").input_value() == "7"
    page.get_by_role("button", name="Light", exact=True).wait_for(timeout=PATIENCE)
    watch.clean()


def test_app_runs_subset_when_asked(address, page):
    watch = Watch(page)
    page.goto(address + "?problem=A_d10_1e-6&budget=20000")
    button = page.get_by_role("button", name="▶ subset", exact=True)
    button.wait_for(timeout=PATIENCE)
    cell = page.locator(".wb-estimate-subset")
    assert cell.count() == 0  # it waits to be asked
    button.click()
    page.locator("tr.wb-done .wb-estimate-subset").wait_for(timeout=PATIENCE)
    # 20,000 forwards hold several repeats; each is within a digit with great probability, and the
    # seed is fixed.
    assert number(cell) == pytest.approx(-6.0, abs=1.0)
    watch.clean()


FACES = {
    "panel": (
        "import workbench.views as views\nviews.explore('A_d10_1e-6')",
        ".wb-slider-sigma .noUi-handle",
    ),
    "ipywidgets": (
        "import workbench.views as views\nviews.explore_widgets('A_d10_1e-6')",
        ".wb-slider-sigma .noUi-handle",
    ),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    for face, (source, _) in FACES.items():
        book = new_notebook(cells=[new_code_cell(source)])
        book.metadata["kernelspec"] = {
            "name": "python3", "display_name": "Python 3", "language": "python",
        }  # fmt: skip
        nbformat.write(book, folder / f"{face}.ipynb")
    arguments = [
        "-m", "jupyter", "lab", "--no-browser", "--port=0", "--IdentityProvider.token=workbench",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--ServerApp.root_dir={folder}", "--allow-root",
    ]  # fmt: skip
    log = tmp_path_factory.mktemp("lab_log") / "log"
    with program(arguments, r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", folder, log) as found:
        yield f"http://localhost:{found[1]}"


def start_kernel(address, face):
    """A session for the notebook before the page opens, so that Run All finds its kernel."""
    body = {"path": f"{face}.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    request = urllib.request.Request(
        f"{address}/api/sessions",
        data=json.dumps(body).encode(),
        headers={"Authorization": "token workbench", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201


@pytest.mark.parametrize("face", FACES)
def test_notebook_cell_follows_the_slider(lab, page, face):
    watch = Watch(page)
    start_kernel(lab, face)
    page.goto(f"{lab}/doc/tree/{face}.ipynb?token=workbench")
    page.locator(".jp-CodeCell").first.wait_for(timeout=PATIENCE)
    # Run All before the page has found its kernel is lost.
    page.get_by_text("| Idle").first.wait_for(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    cell = page.locator(".wb-estimate-moments")
    cell.or_(page.locator(".jp-RenderedText[data-mime-type*=error]")).wait_for(timeout=PATIENCE)
    before = cell.get_attribute("data-log10p")
    assert float(before) == pytest.approx(-6.0, abs=1e-6)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
    handle = page.locator(FACES[face][1]).first
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert changed(cell, before) > float(before)
    watch.clean()
