"""Draws docs/_static/explore.png: the room Explore, once its estimates are there.

python docs/picture.py       with the extra [test] and Chromium
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parent / "_static" / "explore.png"
SIZE = {"width": 1280, "height": 860}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
SERVE = [sys.executable, "-m", "workbench", "serve", "--port", "0", "--no-browser"]
PATIENCE = 120_000  # ms


def main() -> None:
    with subprocess.Popen(SERVE, **PIPES) as app:
        assert app.stdout is not None
        said = (re.search(r"http://localhost:\d+/", line) for line in app.stdout)
        address = next(found[0] for found in said if found)
        try:
            with sync_playwright() as p:
                browser = p.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport=SIZE)
                page.goto(address)
                page.get_by_text("Skip the tour").click(timeout=PATIENCE)
                page.get_by_role("button", name="Run", exact=True).click(timeout=PATIENCE)
                page.wait_for_selector(".wb-estimate-conditioned[data-log10p]", timeout=PATIENCE)
                page.wait_for_timeout(5_000)  # some draws
                page.screenshot(path=PICTURE)
                browser.close()
        finally:
            app.terminate()


if __name__ == "__main__":
    main()
