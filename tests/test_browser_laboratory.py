"""The room Laboratory in a real browser, in the served app."""

import re

import pytest
from browsing import PATIENCE, Watch
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=laboratory&lab=gliders&gliders_side=256&gliders_horizon=120"


def test_app_runs_a_board_finds_what_stands_out_and_steps_on(address, page):
    watch = Watch(page)
    page.goto(f"{address}{SMALL}")
    said = page.locator(".wb-lab-densities")
    expect(said).to_contain_text("Generation 120", timeout=PATIENCE)
    cards = page.locator(".wb-card")
    expect(cards.first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".wb-gallery")).to_contain_text("beehive")
    expect(page.locator(".wb-lab-board img")).to_have_attribute(
        "src", re.compile("^data:image/png")
    )
    page.get_by_role("button", name="Step", exact=True).click()
    expect(said).to_contain_text("Generation 121", timeout=PATIENCE)
    page.locator(".wb-rule input").fill("B9/S23")
    page.locator(".wb-rule input").press("Enter")
    expect(page.locator(".wb-status").filter(has_text="life-like rule")).to_be_visible()
    page.locator(".wb-rule input").fill("B36/S23")
    page.locator(".wb-rule input").press("Enter")
    page.wait_for_url(re.compile(r"gliders_rule=B36"), timeout=PATIENCE)
    watch.clean()
