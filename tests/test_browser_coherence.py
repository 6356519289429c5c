"""The room Coherence in a real browser, in the served app."""

import re

import pytest
from browsing import PATIENCE, Watch, walk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=coherence&of=B_w32_h2_1e-3&probes=2"


def test_app_measures_by_itself_and_again_for_another_estimator(address, page):
    watch = Watch(page)
    page.goto(f"{address}{SMALL}")
    heat = page.locator(".wb-defect-heat-flow[data-digits]")
    expect(heat).to_have_count(1, timeout=PATIENCE)
    assert 0.1 < float(heat.get_attribute("data-digits")) < 3.0
    expect(page.locator(".wb-sentence")).to_contain_text("Coherence defect", timeout=PATIENCE)
    page.locator(".wb-key select").select_option("mean propagation")
    page.wait_for_url(re.compile(r"by=moments_mean"), timeout=PATIENCE)
    expect(page.locator(".wb-sentence")).to_contain_text("Mean propagation", timeout=PATIENCE)
    expect(page.locator(".wb-defect-product")).to_contain_text(re.compile(r"0\.0"))
    walk(page, "wb-rooms", "wb-problem", "wb-key", "wb-probes", "Measure", "wb-term")
    watch.clean()
