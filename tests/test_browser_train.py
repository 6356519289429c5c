"""The room Train in a real browser, in the served app."""

import re
from pathlib import Path

import pytest
import torch
from browsing import PATIENCE, Watch, walk
from playwright.sync_api import expect
from test_views_train_own import files, own, weights

from workbench.problem.codec import unzipped

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
    walk(
        page, "wb-problem", "wb-set-follow", "wb-set-weigh", "wb-set-target", "wb-set-referee",
        "wb-seed", "Save card", "wb-open", "Run", "Step", "Reset", "wb-speed", "wb-run-name",
    )  # fmt: skip
    watch.clean()


def test_files_of_ones_own_chosen_in_the_first_seconds_are_trained_and_saved(address, page):
    problem, x, y = own()
    watch = Watch(page)
    few = "%7B%22steps%22%3A+2%2C+%22nats%22%3A+0.0%2C+%22referee%22%3A+500%7D"
    page.goto(f"{address}?room=train&of=digits&set={few}")
    page.locator(".wb-train input[type=file]").set_input_files(
        [
            {"name": name, "mimeType": "application/octet-stream", "buffer": data}
            for name, data in files(problem, x, y).items()
        ],
        timeout=PATIENCE,
    )  # while the training of the digits is being made, or has just come
    expect(page.locator(".wb-problem select")).to_have_value("own", timeout=PATIENCE)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".wb-standing")).to_contain_text("finished", timeout=PATIENCE)
    save = page.get_by_role("button", name="Save card")
    expect(save).to_be_enabled(timeout=PATIENCE)
    with page.expect_download(timeout=PATIENCE) as download:
        save.click()
    now = unzipped(Path(download.value.path()).read_bytes())
    assert now.name == "own" and now.distribution.mean.equal(problem.distribution.mean)
    assert not torch.equal(weights(now), weights(problem))
    watch.clean()


def test_a_language_model_is_hushed_step_by_step(address, page):
    watch = Watch(page)
    page.goto(f"{address}?room=train&of=L_zap_1e-7&set=%7B%22steps%22%3A+2%7D")
    standing, sentence = page.locator(".wb-standing"), page.locator(".wb-sentence")
    expect(standing).to_contain_text("step 0", timeout=PATIENCE)
    expect(sentence).to_contain_text("Nothing has been trained yet")
    expect(page.locator(".wb-prompts code")).to_have_count(28, timeout=PATIENCE)
    expect(page.locator(".wb-ledger tr")).to_have_count(10, timeout=PATIENCE)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(standing).to_contain_text("step 1 ", timeout=PATIENCE)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(standing).to_contain_text("finished", timeout=PATIENCE)
    expect(sentence).to_contain_text("After 2 steps P is")
    expect(sentence).to_contain_text("a growth of 2% is allowed")
    watch.clean()
