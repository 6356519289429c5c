"""The laboratory of gliders without a browser, its bench, and its command."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from commands import ask, refuse, workbench

from workbench.automata import mean_field, parse
from workbench.bench import automata as bench
from workbench.errors import BadInput
from workbench.views import gliders_gallery, gliders_plots, gliders_words
from workbench.views.bitmaps import png
from workbench.views.gliders_session import FORETOLD, FOUND, JOB, GlidersSession
from workbench.views.lab_gliders import GLIDERS
from workbench.views.lab_screen import LabScreen
from workbench.views.lab_widgets import LabWidgets

PATIENCE = 60.0


@pytest.fixture
def session():
    made = GlidersSession(side=256, horizon=150)
    yield made
    made.close()


def played(session):
    session.play()
    session.worker.wait(JOB, PATIENCE)
    session.worker.wait(FOUND, PATIENCE)
    return session


def test_run_step_and_reset(session):
    session.step()
    session.worker.wait(JOB, PATIENCE)
    assert session.film.generation == 1
    played(session)
    film = session.film
    assert film.generation == 150 == len(film.densities) - 1 and session.over
    session.reset()
    session.worker.wait(JOB, PATIENCE)
    assert session.film.generation == 0 and session.film.densities[0] == film.densities[0]


def test_pause_keeps_the_board(session):
    session.speed = 60.0
    session.play()
    assert session.stepping
    session.pause()
    session.worker.wait(JOB, PATIENCE)
    at = session.film.generation if session.film else 0
    session.step()
    session.worker.wait(JOB, PATIENCE)
    assert session.film.generation == at + 1


def test_what_stands_out_is_found_at_the_end_and_foretold_from_half_way(session):
    played(session)
    look, forecast = session.look, session.found(FOUND)["forecast"]
    assert {"block", "beehive"} <= {f.name for f in look.structures}
    assert (forecast.before, forecast.now) == (37, 75)
    seen = session.film.densities[-1]
    alone = mean_field(parse("B3/S23"), 0.37)
    assert abs(forecast.density(150) - seen) < 0.03 < abs(alone - seen)
    shown = gliders_gallery.gallery(session, False)
    assert shown.count("wb-card") == min(len(look.structures), gliders_gallery.MOST)
    assert "beehive" in shown and "still life" in shown and "persist" in shown
    assert "Given the structures" in gliders_words.densities(session)


def test_curves_are_the_presumptions(session):
    session.horizon = 12
    session.reset()
    session.worker.wait(FORETOLD, PATIENCE)
    assert list(session.curves) == ["cell", "pair", "2x2", "3x3"]
    for values in session.curves.values():
        assert len(values) == 13
        assert values[1] == pytest.approx(mean_field(parse("B3/S23"), 0.3), abs=1e-12)
    figure = gliders_plots.densities(session, False, 300)
    go.Figure(figure)
    assert [t["name"] for t in figure["data"]][:2] == ["independent cells", "pairs"]


def test_the_line_shows_its_background_and_gliders():
    made = GlidersSession(rule="110", density=0.5, side=512, horizon=400)
    played(made)
    assert str(made.look.ground) == "00010011011111"
    shown = gliders_gallery.gallery(made, True)
    assert "glider A" in shown and "00010011011111" in shown
    assert "img" in gliders_plots.board(made, True)
    made.close()


def test_an_empty_board_has_nothing_to_show():
    made = GlidersSession(rule="B/S", side=256, horizon=3)
    assert "<b>Find</b> shows" in gliders_gallery.gallery(made, False)
    assert gliders_words.densities(made) == "Not started yet."
    played(made)
    assert "Nothing stands out" in gliders_gallery.gallery(made, False)
    made.close()


def test_rules_are_read_from_the_link_and_refused_in_a_sentence(session):
    assert session.take({"rule": 110}) == "" and session.rule == "110"
    assert "rule = B9" in session.take({"rule": "B9"})
    with pytest.raises(BadInput, match="life-like rule reads"):
        session.rule = "B9/S"


@pytest.mark.parametrize("face", [LabScreen, LabWidgets])
def test_both_faces_show_the_laboratory(face, session):
    view = face(GLIDERS, session)
    played(session)
    view.paint()
    assert "beehive" in view.words["found"].value
    assert "data:image/png" in view.words["board"].value
    assert view.buttons["play"].disabled and not view.buttons["find"].disabled


def test_a_picture_is_a_png_of_its_cells():
    import io

    from PIL import Image

    cells = np.arange(12).reshape(3, 4) % 3
    palette = [(0, 0, 0, 0), (10, 20, 30, 255), (200, 100, 0, 128)]
    image = Image.open(io.BytesIO(png(cells, palette))).convert("RGBA")
    assert (np.asarray(image) == np.array(palette)[cells]).all()


def test_the_command_tells_densities_and_structures():
    told = ask("life", "--generations", "120", "--side", "256")
    assert told["rule"] == "B3/S23" and len(told["simulated"]) == 121
    assert set(told["presumed"]) == {"cell", "pair", "2x2", "3x3"}
    assert "beehive" in {s["name"] for s in told["structures"]}
    shown = workbench("life", "--rule", "110", "--density", "0.5", "--generations", "300").output
    assert "00010011011111" in shown and "-2 in 4" in shown
    assert "life-like rule reads" in refuse("life", "--rule", "B3S23")
    assert "multiple of 64" in refuse("life", "--side", "100")


def test_the_bench_measures_speed_and_distance():
    rows = list(bench.run(True, lambda *_: None))
    json.dumps(rows)
    plane = [r for r in rows if r["rule"] == "B3/S23"]
    assert plane[0]["per_second"] > 50 and {r["rule"] for r in rows} == {"B3/S23", "110"}
    for row in plane:
        assert abs(row["3x3"] - row["seen"]) < 0.03
    assert any("generations a second" in s for s in bench.conclude(rows))
