"""The room Tokens without a browser: both faces on one session."""

import math

import pytest

import workbench as wb
from workbench.errors import BadInput
from workbench.views.as_notebook import as_notebook
from workbench.views.tokens_plots import worth
from workbench.views.tokens_screen import TokensScreen
from workbench.views.tokens_session import PRICES, TokensSession
from workbench.views.widgets_tokens import TokensWidgets

RARE = "T_char1_letter_1e-4"


@pytest.fixture(scope="module")
def run():
    session = TokensSession(RARE, budget=2816)
    session.run("gld")
    session._begin(PRICES)
    for name in (PRICES, "gld"):
        session.worker.wait(name)
    yield session
    session.close()


def test_it_lists_token_problems_alone(run):
    listed = run.param.problem_name.objects
    assert RARE in listed and all(name.startswith("T_") for name in listed)
    with pytest.raises(BadInput, match="tokens"):
        TokensSession("A_d10_1e-3")


def test_rows_stand_beside_the_truth_and_the_tilt_gains(run):
    rows = {row.key: row for row in run.serving()}
    assert rows["gld"].state == "done" and "orthant" not in rows
    assert math.isfinite(rows["gld"].log10_p) and rows["leaves"].state == "idle"
    figure = worth(run.prices, run.truth, run.nats)
    gains, bound = figure["data"][1], figure["data"][0]
    assert len(gains["y"]) > 4 and max(gains["y"]) > 0.2
    # What was sampled stays below what no D can pass, but for its bars.
    for x, y, bar in zip(gains["x"], gains["y"], gains["error_y"]["array"], strict=True):
        above = [g for n, g in zip(bound["x"], bound["y"], strict=True) if n <= x]
        assert not above or y < above[-1] + 2 * bar + 0.05


@pytest.mark.parametrize("face", [TokensScreen, TokensWidgets])
def test_both_faces_follow_the_tilt(run, face):
    run.param.update(nats=8.0)
    view = face(run)
    before, said = view.laws.value, view.worth_words.value
    assert "→" in before and "8 nats" in said and "digits per nat" in said
    assert "wb-estimate-gld" in view.table.value and "exactly" in view.sentence.value
    run.param.update(nats=2.0)
    view.paint()
    assert view.laws.value != before and "2 nats" in view.worth_words.value


def test_its_notebook_makes_the_numbers_again(run):
    run.param.update(nats=4.0)
    text = as_notebook("tokens", run).getvalue().decode()
    assert f"tokens('{RARE}'" in text and "nats=4.0" in text and "wb.GLD(" in text


def test_a_held_run_goes_on():
    session = TokensSession(RARE, budget=2816, seed=1)
    try:
        session.start()
        session.stop()
        assert not session.worker.busy
        held = {name: r["state"] for name, r in session.worker.results.items()}
        assert {PRICES, "leaves", "mhis"} <= held.keys()
        session._begin(PRICES)
        session.worker.wait(PRICES)
        assert math.isfinite(session.prices.at(16.0)[0])
        session.param.update(seed=2)
        assert session.prices is None
    finally:
        session.close()


def test_brought_problems_of_other_kinds_stay_out(run):
    from workbench.views.rooms import House

    house = House(room="tokens")
    try:
        house.open()
        house.bring(wb.load("A_d10_1e-3"))
        session = house.made["tokens"].session()
        assert "A_d10_1e-3" not in session.param.problem_name.objects
    finally:
        house.close()
