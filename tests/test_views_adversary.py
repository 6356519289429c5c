"""The Adversary screen without a browser: the session, its checks, charts, and both faces on it."""

import math
from dataclasses import replace
from threading import Event

import plotly.graph_objects as go
import pytest
import torch
from panel.io.location import Location

import workbench as wb
from workbench.adversaries import BASELINES, KL, Adversary, families
from workbench.errors import BadInput, NotConverged
from workbench.experiments import Run, pursuit
from workbench.iteration import pack
from workbench.views import (
    adversary_pictures,
    adversary_plots,
    adversary_session,
    adversary_words,
)
from workbench.views.adversary_screen import AdversaryScreen
from workbench.views.adversary_session import (
    CHECK,
    PROPOSAL,
    RIVALS,
    AdversarySession,
    adjustable,
)
from workbench.views.stepping import JOB
from workbench.views.widgets_adversary import AdversaryWidgets

LINEAR = "A_d10_1e-6"  # log10 P = -6: beta = 4.7534
BETA = 4.753424308822899
SIZE = math.sqrt(8.0)  # of the best shift for 4 nats


@pytest.fixture
def session():
    made = AdversarySession(LINEAR, by="moments")
    yield made
    made.close()


def search(session):
    """Run to the end, and have the end checked."""
    session.play()
    session.worker.wait(JOB)
    assert session.tend()
    session.worker.wait(CHECK)
    assert not session.tend()
    return session.attack


def test_it_finds_the_closed_form_and_has_it_checked(session):
    attack = search(session)
    exact = float(torch.special.log_ndtr(torch.tensor(SIZE - BETA, dtype=torch.float64)))
    assert attack.log_p == pytest.approx(exact, rel=0.01)
    assert attack.nats == pytest.approx(4.0, rel=1e-6)
    check = session.checked
    assert abs(check.log10_p - exact / math.log(10)) < 4.0 * check.err  # once in 16,000
    assert session.warning == ""
    said = adversary_words.course_sentence(session)
    assert "no part in the search" in said and "bad" not in said
    assert adversary_pictures.shift(attack.problem, attack.distribution) == pytest.approx(
        SIZE, rel=1e-3
    )


def test_rewinding_and_stepping_gives_the_same_bits(session):
    for _ in range(4):
        session.stepping.step()
        session.worker.wait(JOB)
    before = pack(session.found["course"].state)
    theta = session.attack.found.theta
    for action in (session.stepping.rewind, session.stepping.rewind):
        action()
        session.worker.wait(JOB)
    assert session.found["at"] == 2 and not torch.equal(session.attack.found.theta, theta)
    for _ in range(2):
        session.stepping.step()
        session.worker.wait(JOB)
    assert pack(session.found["course"].state) == before


def test_checks_belong_to_their_run_and_step(session):
    search(session)
    assert [c.steps for c in session.checks] == [session.found["at"]]
    session.stepping.rewind()
    session.worker.wait(JOB)
    assert session.checks == ()
    session.limit = 1.0
    assert session.stale
    session.stepping.reset()
    session.worker.wait(JOB)
    assert not session.stale and session.attack is None and session.checks == ()
    with pytest.raises(NotConverged, match="no D to check"):
        session.check()
    with pytest.raises(NotConverged, match="no D to pin"):
        session.pin()


def test_where_estimate_and_check_part_the_screen_says_so_in_red():
    """A minimum is no Gaussian: the adversary finds where covariance propagation says too much."""
    session = AdversarySession("D_mintree_1e-7", by="moments", limit=1.0)
    search(session)
    assert session.attack.log10_p - session.checked.log10_p > 0.3 + 1.96 * session.checked.err
    said = adversary_words.course_sentence(session)
    assert "class='bad wb-parted'" in said and "believe the check" in said
    session.close()


def test_settings_come_from_the_fields_and_refusals_are_sentences(session):
    names = {cls.name for cls in adjustable()}
    assert {"adversary", "shifted", "moments", "conditioned"} <= names
    session.setting("adversary", "steps", 5)
    assert session.settings == {"adversary": {"steps": 5}} and session.adversary.steps == 5
    session.setting("adversary", "steps", 40)
    assert session.settings == {}
    session.settings = {"adversary": {"nonsense": 1}}
    with pytest.raises(BadInput, match="nonsense"):
        _ = session.adversary
    session.settings = {"adversary": {"rate": -1.0}}
    view = AdversaryScreen(session)
    view.start()
    assert "rate" in view.status.value
    session.settings = {}
    session.problem_name = "C_digits_p1_s10"
    session.family = "categorical"  # which has no pixels with finitely many values to start from
    view.start()
    assert "discrete D0" in view.status.value


def test_both_faces_follow_one_session(session):
    panel, widgets = AdversaryScreen(session, dark=True), AdversaryWidgets(session)
    widgets.limit.value = 2.0
    assert session.limit == 2.0 and panel.limit.number.value == 2.0
    panel.choices["family"].value = "shifted"
    search(session)
    panel.pull()
    widgets.paint()
    assert "2 nats" in panel.course_words.value and "2 nats" in widgets.course_words.value
    session.pin()
    panel.paint()
    widgets.paint()
    assert panel.table.value == widgets.table.value != ""
    assert len(panel.frontier.object["data"]) == 5  # with two traces of the pin
    for chart in (panel.course, panel.frontier, panel.picture):
        go.Figure(chart.object)
    widgets.unpin.click()
    assert session.pins == ()


def test_the_whole_state_is_in_the_link(session):
    location = Location()
    location.sync(session, AdversarySession.in_url)
    session.param.update(limit=8.0, seed=3, region="penalty")
    for part in ("limit=8.0", "attack_seed=3", "region=penalty", f"against={LINEAR}"):
        assert part in location.search
    other = AdversarySession()
    link = Location(search=location.search)
    link.sync(other, AdversarySession.in_url)
    assert other.position == session.position
    other.close()
    assert "which there is not" in session.take({"family": "none such"})


@pytest.mark.parametrize("name", ["digits", "E_plane_1e-8"])
def test_pictures_of_d(name):
    problem = wb.load(name)
    d = problem.distribution
    moved = wb.Gaussian(d.mean + 0.5 * d.scale, d.scale)
    assert adversary_pictures.shift(problem, moved) == pytest.approx(0.5 * math.sqrt(d.dim))
    if d.dim == 2:
        shown = adversary_pictures.plane(problem, moved, False, 300)
        region = shown["data"][0]
        z = torch.tensor(region["z"])
        x = torch.tensor([region["x"][7], region["y"][60]])[None]
        assert float(z[60, 7]) == pytest.approx(float(problem.margin(x).detach()))
        assert [trace["name"] for trace in shown["data"]] == ["C holds", "D₀", "D"]
        go.Figure(shown)
    else:
        assert adversary_pictures.digits(problem, moved, 0).count("<figure") == 10
        bars = adversary_pictures.coordinates(problem, moved, False, 300)
        assert bars["data"][0]["x"] == pytest.approx([0.5] * 10)


def test_charts_of_nothing_are_charts():
    problem = wb.load(LINEAR)
    go.Figure(adversary_plots.course((), (), "moments", problem))
    go.Figure(adversary_plots.frontier(None, (), (), "moments", problem))
    assert "Press <b>Run</b>" in adversary_words.course_sentence(AdversarySession(LINEAR))


def test_d_serves_importance_and_baselines_are_held_against_it(session):
    with pytest.raises(NotConverged, match="no D to draw from"):
        session.propose()
    search(session)
    assert adversary_words.proposal_sentence(session) == ""
    session.propose()
    session.challenge()
    assert adversary_words.proposal_sentence(session) != ""  # however far they are
    session.worker.wait(PROPOSAL)
    session.worker.wait(RIVALS)
    estimate = session.proposed
    assert abs(estimate.log10_p + 6.0) < 4.0 * estimate.log10_err  # once in 16,000
    assert [rival.family for rival in session.rivals] == [cls.name for cls in BASELINES]
    view = AdversaryScreen(session)
    assert "Importance sampling from D" in view.proposal_words.value
    assert "cross entropy 10" in view.proposal_words.value
    go.Figure(view.frontier.object)
    for job in (PROPOSAL, RIVALS):

        def failing():
            yield {}
            raise NotConverged("nothing came of it")

        session.worker.start(job, failing(), course=session.found["course"])
        session.worker.wait(job)
    said = adversary_words.proposal_sentence(session)
    assert said.count("nothing came of it") == 2 and "class='bad'" in said


def test_what_is_chosen_while_a_search_is_being_made_is_searched(session, monkeypatch):
    going = Event()

    def slowly(*asked):
        assert going.wait(60.0)
        return pursuit(*asked)

    monkeypatch.setattr(adversary_session, "pursuit", slowly)
    panel = AdversaryScreen(session)
    session.stepping.step()
    session.limit = 2.0
    going.set()
    session.worker.wait(JOB)
    assert session.found["course"].iteration.region.nats == 2.0 and not session.stale
    session.stepping.rewind()
    session.worker.wait(JOB)
    session.problem_name = "A_d10_1e-12"  # nothing is searched yet: it is taken over at once
    panel.finish()
    assert session.found["course"].problem.name == "A_d10_1e-12" and not session.stale
    session.stepping.step()
    session.worker.wait(JOB)
    session.seed = 3
    panel.finish()
    assert session.stale and session.found["course"].seed == 0


def test_an_opened_run_moves_the_controls(session, tmp_path):
    # A run of the command line, on a problem that no catalogue lists, with settings of its own.
    own = replace(wb.load("A_d10_1e-12"), name="brought along")
    adversary = Adversary(
        families.LowRank(rank=2), KL(2.5), wb.Moments(order=6), steps=7, patience=5
    )
    with Run.start(tmp_path / "kept", "attack", pursuit(own, adversary, 11), 1) as run:
        for _ in run.walk():
            pass
    panel, widgets = AdversaryScreen(session), AdversaryWidgets(session)
    session.stepping.open(tmp_path / "kept")
    session.worker.wait(JOB)
    panel.pull()
    assert session.adversary == adversary and session.seed == 11
    assert session.problem_name == "brought along" and session.problem.card == own.card
    assert not session.stale and not session.warning
    assert panel.choices["family"].value == "low_rank" == widgets.choices["family"].value
    assert panel.limit.number.value == 2.5 == widgets.limit.value
    assert panel.picker.value == "brought along" == widgets.choices["problem_name"].value
    session.limit = 8.0  # the reader's hand goes first: an opened run is adopted once
    panel.pull()
    assert session.limit == 8.0 and session.stale
    session.stepping.reset()
    session.worker.wait(JOB)
    panel.pull()
    assert session.limit == 8.0 and not session.stale
