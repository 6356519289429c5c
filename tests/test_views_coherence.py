"""The Coherence screen without a browser: the session, its charts and words, both faces on it."""

import math

import plotly.graph_objects as go
import pytest
import torch
from panel.io.location import Location
from torch import nn

import workbench as wb
from workbench.coherence import CHECKS, Defect, Heat
from workbench.views import coherence_plots, coherence_words
from workbench.views.coherence_screen import Coherence
from workbench.views.coherence_session import CoherenceSession, Point, entries
from workbench.views.rooms import House
from workbench.views.widgets_coherence import CoherenceWidgets

NET = "B_w32_h2_1e-3"
PATIENCE = 60.0


@pytest.fixture
def session():
    made = CoherenceSession(NET, probes=2)
    yield made
    made.close()


def measured(session):
    session.start()
    session.worker.wait("defects", PATIENCE)
    return session


# The session


def test_only_deterministic_presumptions_are_offered(session):
    assert {"moments", "moments_mean"} <= set(entries())
    assert not {"monte_carlo", "importance", "upper", "lower"} & set(entries())
    with pytest.raises(ValueError, match="monte_carlo"):
        session.key = "monte_carlo"


def test_it_opens_on_the_digits():
    made = CoherenceSession()
    assert (made.problem_name, made.key, made.probes) == ("digits", "moments", 0)
    assert all(d.digits is None and not d.reason for d in made.defects())
    made.close()


def test_measuring_fills_every_law_and_notes_the_point(session):
    measured(session)
    defects = session.defects()
    assert [d.name for d in defects] == [*CHECKS, "heat flow"]
    assert all(d.digits is not None for d in defects)
    assert session.heat is not None and session.heat.estimates == 9
    (point,) = session.points
    truth = wb.load(NET).truth.log10_p
    assert point.error == pytest.approx(wb.Moments()(wb.load(NET)).log10_p - truth)


def test_another_choice_hides_what_was_measured(session):
    measured(session)
    session.key = "moments_mean"
    assert session.heat is None and session.found == {}
    assert len(session.points) == 1
    session.key = "moments"
    assert session.heat is not None


def test_ones_own_problem_without_truth_makes_no_point():
    gaussian = wb.Gaussian(torch.zeros(3), torch.ones(3))
    problem = wb.Problem(gaussian, nn.Linear(3, 1), wb.Halfspace(torch.ones(1), -2.0), name="mine")
    made = CoherenceSession(problem)
    measured(made)
    assert made.heat is not None and made.points == ()
    made.close()


def test_what_cannot_be_read_is_refused_at_once():
    class Fancy(nn.Module):
        def forward(self, x):
            return torch.erf(x)

    one = wb.Gaussian(torch.zeros(1), torch.ones(1))
    made = CoherenceSession(wb.Problem(one, Fancy(), wb.Halfspace(torch.ones(1)), name="odd"))
    with pytest.raises(wb.Unsupported, match="operation erf"):
        made.start()
    made.close()


def test_the_sweep_goes_over_the_catalogue(session, monkeypatch):
    from workbench.views import coherence_session

    names = ["A_d10_1e-3", NET, "D_mintree_1e-7"]
    monkeypatch.setattr(coherence_session.catalogue, "names", lambda: names)
    session.start_all()
    session.worker.wait("sweep", PATIENCE)
    assert {p.problem for p in session.points} == {NET, "D_mintree_1e-7"}
    assert session.sweep["share"] == 1.0


def test_stop_drops_what_runs_and_keeps_the_points(session):
    measured(session)
    session.start_all()
    session.stop()
    assert session.sweep == {} and len(session.points) >= 1


def test_state_survives_the_link(session):
    session.param.update(problem_name="A_d10_1e-3", key="moments_mean", probes=5)
    out = Location()
    out.sync(session, CoherenceSession.in_url)
    back = CoherenceSession()
    Location(search=out.search).sync(back, CoherenceSession.in_url, on_error=pytest.fail)
    assert back.position == session.position
    back.close()


# Charts and words


def test_bars_show_what_was_measured_and_figures_are_sound(session):
    measured(session)
    figure = coherence_plots.bars(session.defects(), session.key)
    go.Figure(figure)
    (bar,) = figure["data"]
    assert bar["y"] == [d.name for d in session.defects()]
    assert bar["customdata"][-1] == session.heat.digits
    go.Figure(coherence_plots.foretold(session.points))


def test_points_on_the_wrong_side_are_faint():
    right = Point("a", "moments", Heat(-20.0, 8.0, 10.0), truth=-20.0 / math.log(10) + 1.0)
    wrong = Point("b", "moments", Heat(-20.0, -8.0, 10.0), truth=-20.0 / math.log(10) + 1.0)
    figure = coherence_plots.foretold([right, wrong])
    assert figure["data"][1]["marker"]["opacity"] == [0.95, 0.35]
    assert figure["data"][1]["y"] == pytest.approx([1.0, 1.0])


def test_the_sentence_names_the_side_and_the_size():
    heat = Heat(-20.0, 8.0, 10.0)
    said = coherence_words.sentence(heat, None, "moments", {})
    assert "too low" in said and f"{heat.digits:.2g} digit" in said
    said = coherence_words.sentence(Heat(-20.0, -8.0, 10.0), None, "moments", {})
    assert "too high" in said
    assert "nothing to correct" in coherence_words.sentence(
        Heat(-20.0, 1e-5, 10.0), None, "moments", {}
    )
    assert "Not measured" in coherence_words.sentence(None, None, "moments", {})
    assert "is 0" in coherence_words.sentence(Heat(-math.inf, 0.0, 0.0), None, "moments", {})
    bad = {"state": "error", "message": "<b>"}
    assert "&lt;b&gt;" in coherence_words.sentence(None, None, "moments", bad)


def test_the_table_says_kept_broken_refused_and_waiting():
    defects = [
        Defect("one", "law <1>", 0.0), Defect("two", "law", 0.25),
        Defect("three", "law", None, "no <reason>"), Defect("four", "law", None),
    ]  # fmt: skip
    shown = coherence_words.table(defects, {"state": "running"})
    assert "holds" in shown and "0.25" in shown and "not measurable" in shown and "…" in shown
    assert "<reason>" not in shown and "<1>" not in shown


# The faces


def test_panel_face_paints_what_the_session_measured(session):
    view = Coherence(session)
    assert "Not measured" in view.sentence.value
    measured(session)
    view.pull()
    assert "Coherence defect" in view.sentence.value
    assert "wb-defect-heat-flow" in view.table.value
    assert view.bars.object["data"][0]["y"][-1] == "heat flow"
    assert "One estimate" in view.points_words.value


def test_panel_face_shows_refusals_and_follows_the_session(session):
    view = Coherence(session)
    view.picker.value = "A_d10_1e-3"
    assert session.problem_name == "A_d10_1e-3"
    session.worker.wait("defects", PATIENCE)
    session.key = "moments_mean"
    assert view.method.value == "moments_mean"
    view.say("<no>")
    assert "&lt;no&gt;" in view.status.value


def test_widgets_face_shares_the_session(session):
    view = CoherenceWidgets(session)
    measured(session)
    view.paint()
    assert "Coherence defect" in view.sentence.value
    assert view.bars.shown["data"][0]["y"][-1] == "heat flow"
    view.method.value = "moments_mean"
    assert session.key == "moments_mean" and "Not measured" in view.sentence.value
    session.probes = 3
    assert view.probes.value == 3


def test_the_house_has_the_room_and_ends_its_work():
    house = House()
    house.open()
    house.room = "coherence"
    session = house._sessions[-1]
    assert isinstance(session, CoherenceSession) and session.worker.alive
    house.close()
    assert not session.worker.alive
