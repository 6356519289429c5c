"""Programs that serve pages, and pages that must be quiet, for the browser tests."""

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

ROOT = Path(__file__).parents[1]
PATIENCE = 90_000  # ms: the longest wait for a condition, on a loaded machine
LOCAL = {"localhost", "127.0.0.1", ""}
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PANEL_INLINE": "true"}


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
        assert not self.errors, self.errors
        assert not self.outside, self.outside


FOCUS = """
() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (!at || at === document.body) return null;
  const marks = [], seen = (part) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(part);
    return outlineStyle !== "none" && outlineWidth !== "0px";
  };
  for (let part = at; part; part = part.parentElement ?? part.getRootNode().host) {
    marks.push(...[...part.classList].filter((name) => name.startsWith("wb-")));
  }
  const near = [at, at.parentElement, at.parentElement?.parentElement].filter((part) => part);
  return [[...marks, (at.innerText ?? "").trim()], near.some(seen)];
}
"""


def walk(page, *wanted):
    """Press Tab through the whole page: it comes to these, named by class or by label, in this
    order, is seen wherever it is, and comes to an end."""
    page.locator("#header a").first.focus()
    missing, passed = list(wanted), []
    for _ in range(150):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None:  # the end, or what had the focus was drawn anew
            page.keyboard.press("Tab")
            stop = page.evaluate(FOCUS)
        if stop is None or stop[0] in passed[:3]:
            break
        names, seen = stop
        passed.append(names)
        assert seen, f"the focus is not seen on {names}"
        if missing and missing[0] in names:
            missing.pop(0)
    else:
        pytest.fail("the keyboard is held fast")
    assert not missing, f"Tab does not come to {missing[0]}, or not in this order: {wanted}"


def app(log):
    """The served app; yields its address."""
    arguments = ["-m", "workbench.views.app", "--port", "0", "--no-browser"]
    with program(arguments, r"http://localhost:(\d+)", ROOT, log) as found:
        yield f"http://localhost:{found[1]}/"


def jupyter(folder, log):
    """JupyterLab on a folder; yields its address and the folder."""
    arguments = [
        "-m", "jupyter", "lab", "--no-browser", "--port=0", "--IdentityProvider.token=workbench",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--ServerApp.root_dir={folder}", "--allow-root",
        # Else Lab asks for what an earlier server had open elsewhere, and the answer is a 404.
        f"--LabApp.workspaces_dir={log.parent / 'workspaces'}",
    ]  # fmt: skip
    with program(arguments, r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", folder, log) as found:
        yield f"http://localhost:{found[1]}", folder


def open_notebook(lab, page, name, *sources):
    """Write a notebook of these cells, open it, and run them all."""
    address, folder = lab
    book = new_notebook(cells=[new_code_cell(source) for source in sources])
    book.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    nbformat.write(book, folder / f"{name}.ipynb")
    _start_kernel(address, name)
    page.goto(f"{address}/doc/tree/{name}.ipynb?token=workbench")
    page.locator(".jp-CodeCell").first.wait_for(timeout=PATIENCE)
    # Run All before the page has found its kernel is lost.
    page.get_by_text("| Idle").first.wait_for(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def _start_kernel(address, name):
    """A session for the notebook before the page opens, so that Run All finds its kernel."""
    body = {"path": f"{name}.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    request = urllib.request.Request(
        f"{address}/api/sessions",
        data=json.dumps(body).encode(),
        headers={"Authorization": "token workbench", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201
