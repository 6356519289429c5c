"""The room Laboratory in a real browser, in the served app."""

import re

import pytest
from browsing import PATIENCE, Watch, open_notebook, walk
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
    walk(
        page, "wb-labs", "wb-rule", "wb-number-density", "wb-slider-density", "wb-seed", "wb-side",
        "wb-speed", "wb-horizon", "wb-against", "Reset",
    )  # fmt: skip
    watch.clean()


TABS = {
    "anomalies": ("anomalies_share=0.8", "accounts", "of the anomalous inputs", "Judge"),
    "tiny": ("tiny_noise=0.3", "errors", "from the weights", "Measure"),
    "students": ("students_width=64", "excess", "of the teacher's variance", "Fit"),
}


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_shows_what_it_is_about_unasked_and_anew_when_asked(address, page, tab):
    link, mark, said, action = TABS[tab]
    watch = Watch(page)
    page.goto(f"{address}?room=laboratory&lab={tab}&{link}")
    words = page.locator(f".wb-lab-{mark}")
    expect(words).to_contain_text(said, timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot .trace").first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name=action, exact=True).click()
    expect(words).to_contain_text(said, timeout=PATIENCE)
    watch.clean()


# anywidget gives a widget's script two seconds to come, which it does not have on a busy page.
LATE = """
const usual = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (ms) => usual(ms === 2000 ? 0 : ms);
"""
ON_LIGHT = """
(mark) => {
  for (let part = mark; part; part = part.parentElement) {
    const tone = getComputedStyle(part).backgroundColor;
    if (tone !== "rgba(0, 0, 0, 0)") return tone === "rgb(255, 255, 255)";
  }
  return false;
}
"""


def test_lab_draws_what_changed_while_its_page_loaded_and_hides_the_still_picture(lab, page):
    watch = Watch(page)
    page.add_init_script(LATE)
    source = (
        "import workbench.views as v\nv.laboratory_widgets('gliders', side=256, horizon=3).finish()"
    )
    open_notebook(lab, page, "still", source)
    live, still = page.locator(".wb-lab-gliders-widgets"), page.locator(".wb-still")
    lines = live.locator(".js-plotly-plot .scatterlayer .trace")
    expect(lines).to_have_count(5, timeout=PATIENCE)
    expect(live.locator(".wb-lab-densities")).to_contain_text("Generation 3")
    expect(still).to_be_attached()
    expect(still).to_be_hidden()
    # The page's chart is drawn on a ground on which its letters can be read.
    assert lines.first.evaluate(ON_LIGHT)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Restart Kernel").first.click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    cut_off = page.locator(".wb-face.jupyter-widgets-disconnected")
    expect(cut_off).to_be_attached(timeout=PATIENCE)
    assert "run the cell again" in cut_off.evaluate(
        "(e) => getComputedStyle(e, '::before').content"
    )
    late = [e for e in watch.errors if "Failed to initialize model" in e]
    assert late, "no script came late"
    watch.errors = [e for e in watch.errors if e not in late]
    watch.clean()
