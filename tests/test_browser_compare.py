"""The room Compare in a real browser: in the served app, and both faces in a notebook."""

import re

import pytest
from browsing import PATIENCE, Watch, open_notebook, walk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=compare&problems=[%22A_d10_1e-6%22]&estimators=[%22moments%22,%22subset%22]"


def test_app_compares_and_opens_a_cell_in_explore(address, page):
    """By keyboard alone from the table to Explore, and back by the navigation."""
    watch = Watch(page)
    page.goto(f"{address}{SMALL}&runs_of=2000&seeds=2&theme=dark")
    done = page.locator("tr.wb-done")
    expect(done).to_have_count(2, timeout=PATIENCE)  # it runs by itself
    first = page.locator("tr.wb-done td[data-log10p]").first
    assert float(first.get_attribute("data-log10p")) == pytest.approx(-6.0, abs=1e-6)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
    seeds = page.locator(".wb-seeds input")
    seeds.fill("3")
    seeds.press("Enter")
    page.wait_for_url(re.compile(r"seeds=3"), timeout=PATIENCE)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("tr.wb-done", has_text="3 seeds")).to_have_count(1, timeout=PATIENCE)
    walk(
        page, "wb-problems", "wb-number-budget", "wb-slider-budget", "wb-seeds", "wb-estimators",
        "Save CSV", "Save Parquet", "wb-settings", "wb-open", "code", "wb-shown",
    )  # fmt: skip
    recipe = page.locator("button[data-do=recipe]").last
    recipe.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#wb-recipe-text")).to_contain_text("wb.Subset()", timeout=PATIENCE)
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_text("Save CSV", exact=True).click()
    assert "subset" in download.value.path().read_text()
    cell = page.locator("button.wb-open[data-key=subset]")
    cell.focus()
    page.keyboard.press("Enter")
    page.locator("tr.wb-marked .wb-estimate-subset").wait_for(timeout=PATIENCE)
    page.wait_for_url(re.compile(r"room=explore.*problem=A_d10_1e-6"), timeout=PATIENCE)
    page.get_by_role("button", name="Compare", exact=True).press("Enter")
    expect(done.first).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile(r"room=compare"), timeout=PATIENCE)
    watch.clean()


def test_both_faces_compare_in_a_notebook(lab, page):
    watch = Watch(page)
    given = "['A_d10_1e-6'], estimators=['moments', 'subset'], budget=2000, seeds=2"
    open_notebook(
        lab, page, "compare",
        f"import workbench.views as v\nv.compare({given})", f"v.compare_widgets({given})",
    )  # fmt: skip
    done = page.locator("tr.wb-done td[data-log10p]")
    for face, count in ((".wb-compare-screen", 2), (".wb-compare-widgets", 4)):
        view = page.locator(face)
        view.or_(page.locator(".jp-RenderedText[data-mime-type*=error]")).first.wait_for(
            timeout=PATIENCE
        )
        view.get_by_role("button", name="Run", exact=True).click()
        expect(done).to_have_count(count, timeout=PATIENCE)
    watch.clean()
