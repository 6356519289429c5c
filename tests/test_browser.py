"""The screen in a real browser: the served app, and a notebook in JupyterLab with both faces."""

import re

import pytest
from browsing import PATIENCE, Watch, open_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def number(locator):
    """log10 P as the cell holds it."""
    return float(locator.get_attribute("data-log10p"))


def changed(cell, before):
    """Wait until the estimate differs from `before`; its new value."""
    expect(cell).not_to_have_attribute("data-log10p", before, timeout=PATIENCE)
    expect(cell).to_have_attribute("data-log10p", re.compile(r"^-?\d"), timeout=PATIENCE)
    return number(cell)


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
    page.get_by_text("not with the sliders elsewhere", exact=False).wait_for(timeout=PATIENCE)
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
    button = page.get_by_role("button", name="▶ subset simulation", exact=True)
    button.wait_for(timeout=PATIENCE)
    cell = page.locator(".wb-estimate-subset")
    assert cell.count() == 0  # it waits to be asked
    button.click()
    page.locator("tr.wb-done .wb-estimate-subset").wait_for(timeout=PATIENCE)
    # 20,000 forwards hold several repeats; each is within a digit with great probability, and the
    # seed is fixed.
    assert number(cell) == pytest.approx(-6.0, abs=1.0)
    watch.clean()


def test_app_looks_inside_when_the_panel_is_opened(address, page):
    watch = Watch(page)
    page.goto(address + "?problem=A_d10_1e-6&budget=2000")
    page.locator(".wb-estimate-moments").wait_for(timeout=PATIENCE)
    assert page.locator(".wb-summit").count() == 0  # nothing is computed before it is opened
    page.get_by_role("button", name="Inside the network ▸", exact=True).click()
    expect(page.locator(".wb-summit")).to_contain_text("100% of P", timeout=PATIENCE)
    page.locator(".wb-inside .js-plotly-plot .hm").first.wait_for(timeout=PATIENCE)
    watch.clean()


@pytest.mark.parametrize("face", ["explore", "explore_widgets"])
def test_notebook_cell_follows_the_slider(lab, page, face):
    watch = Watch(page)
    open_notebook(lab, page, face, f"import workbench.views as v\nv.{face}('A_d10_1e-6')")
    cell = page.locator(".wb-estimate-moments")
    cell.or_(page.locator(".jp-RenderedText[data-mime-type*=error]")).wait_for(timeout=PATIENCE)
    before = cell.get_attribute("data-log10p")
    assert float(before) == pytest.approx(-6.0, abs=1e-6)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
    handle = page.locator(".wb-slider-sigma .noUi-handle").first
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert changed(cell, before) > float(before)
    watch.clean()
