"""The Train screen without a browser: session, charts, words, pictures, both faces."""

import math

import plotly.graph_objects as go
import pytest
import torch
from panel.io.location import Location

import workbench as wb
from workbench.experiments import Attempt, Run, lessons
from workbench.training.hush import Hush
from workbench.views import train_hush_words, train_plots, train_shown, train_words
from workbench.views.rooms import TRAININGS, House
from workbench.views.stepping import FILES, JOB
from workbench.views.train_crowd import Crowd
from workbench.views.train_engine import TELLINGS
from workbench.views.train_paths import Paths
from workbench.views.train_pictures import Curve, Image, Plane
from workbench.views.train_prompts import Prompts
from workbench.views.train_screen import Train
from workbench.views.train_session import TrainSession
from workbench.views.widgets_train import TrainWidgets

QUICK = {"steps": 4, "every": 2, "referee": 500}


@pytest.fixture
def session():
    made = TrainSession(settings=QUICK)
    yield made
    made.close()


def after(session, action):
    action()
    found = session.worker.wait(JOB)
    assert "message" not in found, found["message"]
    return found


def test_it_trains_and_shows_what_changed(session):
    assert after(session, session.stepping.reset)["steps"] == 0
    found = after(session, session.stepping.play)
    assert found["over"] and [r["steps"] for r in session.rows] == [0, 1, 2, 3, 4]
    assert session.about.startswith("Two arcs") and found["examples"] == 300
    picture = found["picture"]
    assert isinstance(picture, Plane) and not picture.margin.equal(picture.before)
    assert [e["step"] for e in found["met"]] == [0, 2] and found["met"][0]["nats"] <= 1.001
    assert {"referee", "claimed", "referee_adv"} <= session.rows[-1].keys()


def test_a_pin_is_compared_with(session):
    with pytest.raises(wb.BadInput, match="nothing to pin"):
        session.pin()
    after(session, session.stepping.step)
    session.pin()
    first = session.found["weights"]
    pinned = session.rows[-1]  # at rest: of the model that is shown, not of the one before
    made = lessons.trained(session.stepping.run.subject, first)
    estimator = session.stepping.run.subject.iteration.estimator
    assert pinned["log10_p"] == pytest.approx(estimator(made, rng=0).log10_p, abs=1e-9)
    after(session, session.stepping.play)
    assert [r["steps"] for r in session.before] == [0, 1]
    assert session.pinned.weights is first
    session.unpin()
    assert session.before == ()


def test_settings_are_checked_and_make_a_run_stale(session):
    after(session, session.stepping.step)
    assert not session.stale
    session.setting("target", -5.0)
    assert session.stale and session.settings == {**QUICK, "target": -5.0}
    session.setting("target", -8.0)
    assert not session.stale and session.settings == QUICK
    for key, value in (("steps", 0), ("follow", "luck"), ("nats", -1.0), ("mood", 1)):
        with pytest.raises(wb.BadInput):
            session.setting(key, value)


def test_state_survives_the_link(session):
    session.param.update(problem_name="digits", seed=7)
    out = Location()
    out.sync(session, TrainSession.in_url)
    back = TrainSession()
    Location(search=out.search).sync(back, TrainSession.in_url, on_error=pytest.fail)
    assert back.ticket == session.ticket
    back.close()


ROWS = [
    {"steps": 1, "loss": 0.5, "score": 0.9, "log10_p": -3.0, "exploited": False},
    {"steps": 2, "loss": 0.4, "score": 0.95, "log10_p": -9.0, "log10_p_adv": -4.0,
     "claimed": -9.2, "referee": -4.0, "referee_low": -4.2, "referee_high": -3.8,
     "exploited": True},
    {"steps": 3, "loss": 0.3, "score": 0.94, "log10_p": -math.inf, "referee": -math.inf,
     "exploited": True},
]  # fmt: skip


def test_charts_are_sound_and_show_the_mark():
    for dark in (False, True):
        danger = train_plots.danger(ROWS, ROWS[:1], 100, -6.0, dark, 300)
        go.Figure(danger)
        go.Figure(train_plots.task(ROWS, ROWS[:1], "accuracy", dark, 300))
    names = [t["text"] for t in danger["layout"]["annotations"]]
    assert names == ["1/N", "1/(1000 N)", "target"]
    (referee,) = [d for d in danger["data"] if d["name"].startswith("referee")]
    assert referee["x"] == [2] and referee["error_y"]["array"] == pytest.approx([0.2])
    red = [s for s in danger["layout"]["shapes"] if s["line"]["color"] == train_plots.EXPLOITED]
    assert [s["x0"] for s in red] == [2]
    go.Figure(train_plots.danger([], [], 0, None, False, 300))


def test_words_say_what_the_referee_says():
    said = train_words.sentence(ROWS[:2], "accuracy", 100)
    assert "100 times less than" in said and "N = 100" in said
    assert "Accuracy on held-out inputs is 95.0%" in said and "best" not in said
    assert "at best 95.0%" in train_words.sentence(ROWS, "accuracy", 100)
    assert "saw no failure" in train_words.sentence(ROWS, "accuracy", 100)
    assert "Nothing has been trained" in train_words.sentence([], "accuracy", 100)
    mark = train_words.exploited(ROWS)
    assert "EXPLOITED at step 2" in mark and "10<sup>−9.20</sup>" in mark
    assert train_words.exploited(ROWS[:1]) == ""
    assert "None yet" in train_words.ledger([])
    assert "no adversary" in train_words.ledger([], searched=False)
    table = train_words.ledger([{"step": 5, "nats": 1.0, "now": -3.0}])
    assert "10<sup>−3.00</sup>" in table


def test_pictures_of_images_and_of_a_line():
    t = torch.linspace(-1, 1, 5)
    html, figure = train_shown.shown(Curve(t, t, t - 1), False, 300)
    assert html == "" and len(figure["data"]) == 2
    go.Figure(figure)
    images = [Image("D₀", torch.zeros(64), -3.0), Image("step 4", torch.ones(64), None, -2.0)]
    html, figure = train_shown.shown(images, True, 300)
    assert figure is None and html.count("<svg") == 3 and "step 4" in html
    assert train_shown.shown(None, False, 300) == ("", None)


def test_names_of_lines_cannot_meet_and_dust_does_not_hide_the_loss():
    danger = train_plots.danger(ROWS, [], 100, -5.0, False, 300)  # 1/(1000 N) is the target
    sides = [(t["x"], t["xanchor"]) for t in danger["layout"]["annotations"]]
    assert sides == [(0.01, "left"), (0.5, "center"), (0.99, "right")]
    rows = [{"steps": 1, "loss": 1e-33, "score": 1.0}, {"steps": 2, "loss": 1e-3, "score": 0.9}]
    low, high = train_plots.task(rows, [], "accuracy", False, 300)["layout"]["yaxis"]["range"]
    assert -4 < low < high < -2
    assert "range" not in train_plots.task(ROWS, [], "accuracy", False, 300)["layout"]["yaxis"]


def test_an_unsure_referee_is_quoted_by_its_upper_end():
    row = {"steps": 1, "log10_p": -12.0, "referee": -60.0, "referee_low": -80.0,
           "referee_high": -40.0, "exploited": False}  # fmt: skip
    assert "can say only that P is below <b>10<sup>" in train_words.sentence([row], "accuracy", 100)
    low = train_plots.danger([row], [], 100, None, False, 300)["layout"]["yaxis"]["range"][0]
    assert -45 < low < -40


def test_a_controllers_paths_and_a_triggers_margin_have_pictures():
    paths = Paths(torch.zeros(3, 5), torch.ones(3, 5), 0.5, torch.tensor([[-0.1] * 5, [0.1] * 5]))
    _, figure = train_shown.shown(paths, True, 300)
    go.Figure(figure)
    assert [d["name"] for d in figure["data"]][1:] == ["these gusts, before", "the same gusts, now"]
    assert len(figure["data"][1]["x"]) == 18 and figure["data"][1]["y"][5] is None
    t = torch.linspace(-1, 1, 5)
    _, figure = train_shown.shown(Curve(t, t, None, "towards the trigger", 0.5), False, 300)
    go.Figure(figure)
    assert figure["layout"]["shapes"][1]["x0"] == 0.5


@pytest.mark.slow
def test_other_duties_show_their_own_picture_of_the_same_gusts_and_triggers():
    made = TrainSession("controller", settings={**QUICK, "steps": 1})
    seen = after(made, made.stepping.play)["picture"]
    assert isinstance(seen, Paths) and seen.before is not None
    assert bool((seen.before[:, 1:].abs().amax(1) > seen.track).all())  # accidents, before
    made.problem_name = "needle"
    after(made, made.stepping.reset)
    seen = after(made, made.stepping.play)["picture"]
    assert isinstance(seen, Curve) and seen.mark is not None and float(seen.before.max()) > 0.0
    made.close()


def test_digits_on_average_have_settings_and_a_gallery_of_their_own():
    made = TrainSession(settings=QUICK)
    made.problem_name = "digits_average"
    assert made.settings == {"steps": 4, "every": 2, "referee": 500}
    made.setting("lines", 2)
    found = after(made, made.stepping.play)
    assert [r["steps"] for r in made.rows] == [0, 1, 2, 3, 4] and found["met"] == ()
    assert "log10_p" in made.rows[-1] and "referee" in made.rows[-1]
    seen = found["picture"]
    assert isinstance(seen, Crowd) and seen.size == 324 and len(seen.faces) == 12
    first = seen.faces[0]
    befores = [face.log10_p_before for face in seen.faces]
    assert befores == sorted(befores, reverse=True) and not first.now.equal(first.before)
    html, figure = train_shown.shown(seen, False, 300)
    assert figure is None and html.count("<svg") == 36
    assert made.about.startswith("Gaussian pixel noise") and found["examples"] == 1437
    view, widgets = Train(made), TrainWidgets(made)
    for face in (view, widgets):
        face.paint()
    assert list(view.fields.widgets)[:2] == ["target", "price"]
    assert view.fields.widgets["lines"].value == 2 and "held-out images" in widgets.html.value
    made.problem_name = "plane"
    assert "lines" not in made.settings and "lines" not in view.fields.widgets
    view.end()
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "regression"])
def test_other_problems_have_their_pictures(name):
    made = TrainSession(name, settings={**QUICK, "steps": 1})
    found = after(made, made.stepping.play)
    kind = {"digits": list, "regression": Curve}[name]
    assert isinstance(found["picture"], kind) and found["problem"] == name
    made.close()


def test_panel_face_paints_what_the_session_has(session):
    view = Train(session)
    view.begin()
    session.worker.wait(JOB)
    view.pull()
    assert "Nothing has been trained" in view.sentence.value and view.figure.visible
    assert "the estimate of P under D₀ is" in view.sentence.value  # of the model as it was given
    assert all(chart.object["data"][0]["x"] == [0] for chart in (view.danger, view.task))
    after(session, session.stepping.play)
    view.pull()
    assert "finished" in view.toolbar.standing.value and "wb-table" in view.ledger.value
    assert view.danger.object["data"] and view.task.object["data"]
    view.fields.widgets["steps"].value = 0
    assert "steps" in view.status.value and session.settings["steps"] == 4
    view.fields.widgets["target"].value = -5.0
    assert session.settings["target"] == -5.0 and "press Reset" in view.toolbar.standing.value
    view.end()


def test_widgets_face_shares_the_session(session):
    view = TrainWidgets(session)
    after(session, session.stepping.play)
    view.paint()
    assert "finished" in view.toolbar.standing.value and "wb-table" in view.ledger.value
    assert [t["name"] for t in view.task.shown["data"]] == ["loss", "accuracy"]
    view.problem.value = "digits"
    assert session.problem_name == "digits"
    session.seed = 3
    assert view.seed.value == 3


def test_the_house_keeps_a_training_while_no_page_shows_it():
    house = House()
    house.open()
    house.room = "train"
    (token,) = TRAININGS._held
    session = TRAININGS._held[token]
    session.worker.wait(JOB)
    house.close()
    assert session.worker.alive and TRAININGS.enter(token, TrainSession)[1] is session
    TRAININGS.close()
    assert not session.worker.alive


def test_a_language_model_is_trained_away_from_a_word_before_ones_eyes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = TrainSession("L_zap_1e-7", settings={"steps": 3})
    with pytest.raises(wb.BadInput, match="growth must be a number above 0"):
        made.setting("growth", -1.0)
    with pytest.raises(wb.BadInput, match="no setting 'referee'"):
        made.setting("referee", 500)
    view, widgets = Train(made), TrainWidgets(made)
    assert made.telling is TELLINGS["hush"] and list(view.fields.widgets)[:2] == ["nats", "growth"]
    for face in (view, widgets):  # before there is a run
        face.paint()
        assert "against the word" in face.sentence.value and "None yet" in face.ledger.value
    after(made, made.stepping.reset)
    view.paint()
    assert "both exactly" in view.sentence.value and [r["steps"] for r in made.rows] == [0]
    found = after(made, made.stepping.play)
    assert found["over"] and found["about"] == made.about
    assert [r["steps"] for r in made.rows] == [0, 1, 2, 3]
    exact = Hush(steps=3)(wb.load("L_zap_1e-7"))
    best = train_hush_words.best_row(made.rows, found["growth"])
    assert best["log10_p_adv"] == pytest.approx(exact.log10_p_adversary[1], abs=1e-9)
    seen = found["picture"]
    assert isinstance(seen, Prompts) and seen.worst.exp().sum(1) == pytest.approx(1.0)
    _, heads, failing = seen.draws[-1]
    assert heads.shape == (4, 2) and bool((seen.problem.margin(failing) > 0.0).all())
    met = found["met"]
    nows = [line["worst"][1] for line in met]
    assert 0.0 < sum(nows) <= 1.0 and all(len(line["prompt"]) == 2 for line in met)
    # What is trained against falls, prompt by prompt.
    assert all(line["log10_p"][1] < line["log10_p"][0] for line in met)
    for face in (view, widgets):
        face.paint()
        assert "All four are exact" in face.sentence.value and "The worst prompts" in face.met.value
        assert face.html.value.count("✗") == 4 and face.ledger.value.count("<tr>") == 10
    names = [d["name"] for d in view.danger.object["data"]]
    assert names == ["the worst prompts", "its own prompts"]
    go.Figure(view.danger.object)
    go.Figure(view.task.object)
    made.pin()
    assert [r["steps"] for r in made.before] == [0, 1, 2, 3]
    made.stepping.save("runs/zap")
    assert "message" not in made.worker.wait(FILES)
    made.problem_name = "plane"
    after(made, made.stepping.reset)  # lets the folder go
    assert made.telling is TELLINGS["train"] and made.before == ()
    assert "nats" in view.fields.widgets and made.settings == {"steps": 3}
    after(made, lambda: made.stepping.open("runs/zap"))
    assert made.telling is TELLINGS["hush"] and len(made.rows) == 4
    view.end()
    made.close()


def test_a_run_of_another_kind_is_refused_in_a_sentence(session, tmp_path):
    place = tmp_path / "counted"
    attempt = Attempt(wb.load("A_d10_1e-3"), wb.MonteCarlo(), wb.Budget(2_000), seed=0)
    Run.start(place, "estimate", attempt).close()
    session.stepping.open(place)
    told = session.worker.wait(JOB)["message"]
    assert "a run of kind estimate, and this screen shows train or hush" in told
