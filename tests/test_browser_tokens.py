"""The room Tokens in a real browser, in the served app."""

import re

import pytest
from browsing import PATIENCE, Watch, walk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=tokens&text=T_char1_letter_1e-4&text_budget=2000&theme=dark"


def test_app_prices_tilts_and_estimates_by_itself_and_follows_the_tilt(address, page):
    watch = Watch(page)
    page.goto(f"{address}{SMALL}")
    worth = page.locator(".wb-worth")
    expect(worth).to_contain_text("digits per nat", timeout=PATIENCE)
    expect(worth).to_contain_text("8 nats")
    expect(page.locator("tr.wb-done .wb-estimate-gld")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".wb-tokens")).to_contain_text("tilted by 8 nats")
    page.locator(".wb-tilt .noUi-handle").press("ArrowLeft")
    expect(worth).to_contain_text("6 nats", timeout=PATIENCE)
    expect(page.locator(".wb-tokens")).to_contain_text("tilted by 6 nats", timeout=PATIENCE)
    page.wait_for_url(re.compile(r"nats=6"), timeout=PATIENCE)
    walk(
        page, "wb-problem", "wb-tilt", "wb-number-budget", "wb-slider-budget", "wb-seed", "New seed"
    )
    watch.clean()
