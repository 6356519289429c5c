"""The room Train in a real browser, in the served app."""

import re

import pytest
from browsing import PATIENCE, Watch
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = "?room=train&set=%7B%22steps%22%3A+5%2C+%22every%22%3A+5%2C+%22referee%22%3A+500%7D"


def test_a_training_survives_a_reload(address, page):
    watch = Watch(page)
    page.goto(f"{address}{SMALL}")
    standing = page.locator(".wb-standing")
    expect(standing).to_contain_text("step 0", timeout=PATIENCE)
    page.wait_for_url(re.compile(r"session=\w+"), timeout=PATIENCE)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(standing).to_contain_text("step 1 ", timeout=PATIENCE)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(standing).to_contain_text("finished", timeout=PATIENCE)
    page.reload()
    expect(standing).to_contain_text("finished", timeout=PATIENCE)
    expect(page.locator(".wb-sentence")).to_contain_text("After 5 steps", timeout=PATIENCE)
    expect(page.locator(".wb-ledger tr")).to_have_count(2, timeout=PATIENCE)
    page.get_by_role("button", name="Rewind", exact=True).click()
    expect(standing).to_contain_text("step 4 ", timeout=PATIENCE)
    watch.clean()
