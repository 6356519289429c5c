"""The room Adversary in a real browser: in the served app, and its widgets in a notebook."""

import re

import pytest
from browsing import PATIENCE, Watch, open_notebook, walk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=adversary&against=A_d10_1e-6&ascends=moments&limit=2"


def test_app_searches_by_itself_rewinds_and_starts_anew(address, page):
    watch = Watch(page)
    page.goto(f"{address}{SMALL}")
    said, standing = page.locator(".wb-sentence"), page.locator(".wb-standing")
    expect(said).to_contain_text(
        "no part in the search", timeout=PATIENCE
    )  # it ran, and was checked
    expect(said).to_contain_text("2 nats")
    expect(standing).to_contain_text("finished")
    page.locator(".js-plotly-plot .main-svg").nth(2).wait_for(timeout=PATIENCE)
    done = int(re.search(r"step (\d+)", page.locator(".wb-standing .small").inner_text())[1])
    page.get_by_role("button", name="Rewind", exact=True).press("Enter")
    expect(standing).to_contain_text(f"step {done - 1} ", timeout=PATIENCE)
    page.get_by_role("button", name="Pin", exact=True).press("Enter")
    expect(page.locator(".wb-pins")).to_contain_text("KL divergence 2", timeout=PATIENCE)
    number = page.locator(".wb-number-limit input")
    number.fill("3")
    number.press("Enter")
    page.wait_for_url(re.compile(r"limit=3"), timeout=PATIENCE)
    expect(standing).to_contain_text("press Reset", timeout=PATIENCE)
    page.get_by_role("button", name="Reset", exact=True).press("Enter")
    run = page.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_enabled(timeout=PATIENCE)  # it is not, as long as the old run stands ended
    run.press("Enter")
    expect(said).to_contain_text("3 nats", timeout=PATIENCE)
    walk(
        page, "wb-problem", "wb-family", "wb-region", "wb-number-limit", "wb-slider-limit", "wb-by",
        "wb-seed", "wb-settings", "Reset", "wb-speed", "wb-run-name", "Save run", "Pin",
    )  # fmt: skip
    watch.clean()


def test_widgets_search_in_a_notebook(lab, page):
    watch = Watch(page)
    open_notebook(
        lab, page, "adversary",
        "import workbench.views as v\nv.adversary_widgets('A_d10_1e-6', by='moments', limit=2.0)",
    )  # fmt: skip
    view = page.locator(".wb-adversary-widgets")
    view.or_(page.locator(".jp-RenderedText[data-mime-type*=error]")).first.wait_for(
        timeout=PATIENCE
    )
    view.get_by_role("button", name="Run", exact=True).click()
    expect(view).to_contain_text("no part in the search", timeout=PATIENCE)
    watch.clean()
