"""The panel "Inside the network": its data against exact answers, and both faces on it."""

import math

import plotly.graph_objects as go
import pytest
import torch

import workbench as wb
from workbench.estimators import summits
from workbench.models import chain, dense
from workbench.views import inside, inside_figures, ladder, ribbon
from workbench.views.knobs import JOB, KNOBS, Watched
from workbench.views.screen import Explore
from workbench.views.state import Session

PATIENCE = 60.0


def look_at(name, **settings):
    """The last look at a problem of the catalogue, and the problem."""
    problem = wb.load(name)
    looks = [n["look"] for n in inside.looking(problem, settings, 0) if "look" in n]
    return looks[-1], problem


@pytest.fixture(scope="module")
def digits():
    return look_at("digits")


def test_layers_of_a_linear_model_are_known():
    """Exact moments against 16,384 draws: 5 standard errors each, false alarm 1e-4 in all."""
    for layer in ribbon.layers(wb.load("A_d10_1e-6"), seed=3):
        assert float(layer.mean_error.abs().max()) < 5 * layer.noise * float(
            (layer.seen_std / layer.unit).max()
        )
        ratio = layer.predicted_std / layer.seen_std - 1.0
        assert float(ratio.abs().max()) < 5 * layer.noise / math.sqrt(2.0)


def test_layers_of_a_mixture_follow_the_law_of_total_variance():
    parts = tuple(
        wb.Gaussian(torch.tensor([m]).double(), torch.ones(1).double()) for m in (-2.0, 4.0)
    )
    d = wb.Mixture(torch.tensor([0.5, 0.5]).double(), parts)
    model = chain([dense(torch.tensor([[2.0]]).double())])
    spec = wb.Halfspace(torch.ones(1).double(), -20.0)
    _, out = ribbon.layers(wb.Problem(d, model, spec), 0, draws=2048)
    assert float(out.predicted_mean) == pytest.approx(2.0)
    assert float(out.predicted_std) == pytest.approx(2.0 * math.sqrt(10.0))


def test_seen_moments_are_those_of_all_draws_together():
    problem = wb.load("B_w32_h2_1e-3")
    *_, last = ribbon.layers(problem, 5, draws=4096)
    rngs = (wb.Rng(5).child("layers", start) for start in (0, 2048))
    with torch.no_grad():
        y = torch.cat(
            [problem.model(problem.distribution.sample(2048, r.generator())) for r in rngs]
        )
    assert torch.allclose(last.seen_mean, y.mean(0))
    assert torch.allclose(last.seen_std, y.std(0))


def test_a_neuron_that_never_moves_has_no_cell():
    layers = ribbon.layers(wb.load("D_needle_1e-6"), 0)
    still = [layer for layer in layers if not bool(layer.moved.all())]
    assert still and all(bool(x.mean_error[~x.moved].isnan().all()) for x in still)
    figure = inside_figures.ribbon(layers)
    assert any(None in row[: len(layers[-1].seen_mean) + 30] for row in figure["data"][0]["z"])
    assert "kept one value in all draws" in inside_figures.ribbon_words(layers)


def test_shares_parts_and_the_last_place_of_the_curve_are_the_estimate(digits):
    look, problem = digits
    assert float(look.shares.sum()) == pytest.approx(1.0, abs=1e-9)
    for k, summit in enumerate(look.summits):
        assert float(look.shares[look.owners == k].sum()) == pytest.approx(summit.part, abs=1e-9)
    assert bool((look.shares.diff() <= 0).all())
    with torch.no_grad():
        assert look.estimate.log10_p == wb.Conditioned()(problem).log10_p
    assert float(look.log10_p[-1]) == pytest.approx(look.estimate.log10_p, abs=1e-9)
    assert float(look.digits[-1]) == pytest.approx(look.estimate.info["spread_digits"])
    assert int(look.counts[-1]) == len(look.shares)
    assert 1.0 <= look.effective <= len(look.shares)


def test_summits_of_the_digits_name_their_rivals_and_lie_where_they_fail(digits):
    look, problem = digits
    names = [s.name for s in look.summits]
    found = summits.find(problem, 6)
    rivals = [k for k in range(10) if k != problem.spec.label]
    assert names[0] == f"read as {rivals[int(found.clause[0])]}"
    for summit in look.summits:
        assert float(problem.margin(summit.point[None]).detach()) == pytest.approx(0.0, abs=1e-2)
        assert float(summit.direction.abs().max()) == pytest.approx(1.0)
        with torch.no_grad():
            y = problem.model(summit.point[None])[0]
        assert {int(k) for k in y.topk(2).indices} == {
            problem.spec.label,
            int(summit.name.split()[-1]),
        }


def test_direction_of_a_linear_model_is_its_normal():
    look, problem = look_at("A_d10_1e-6")
    (summit,) = look.summits
    x = summit.mean[None].clone().requires_grad_()
    (normal,) = torch.autograd.grad(problem.margin(x).sum(), x)
    along = normal[0] * problem.distribution.scale**2
    assert torch.allclose(summit.direction, along / along.abs().max(), atol=1e-6)
    assert look.effective == pytest.approx(len(look.shares), rel=1e-6)  # all lines say the same


def test_what_cannot_be_looked_into_is_said():
    d = wb.Gaussian(torch.zeros(1), torch.ones(1))
    sure = wb.Problem(d, lambda x: -torch.relu(x) - 1.0, wb.Halfspace(torch.ones(1), 0.0))
    first, *_, last = inside.looking(sure, {}, 0)
    assert "a torch.nn.Module is needed" in first["layers_note"]
    assert "no direction was found" in last["look_note"]
    *_, last = inside.looking(sure, {"lines": 0}, 0)
    assert "lines" in last["look_note"]


def test_figures_are_figures(digits):
    look, problem = digits
    known = (problem.truth.log10_p, problem.truth.se_log10)
    for dark in (False, True):
        go.Figure(inside_figures.ribbon(ribbon.layers(problem, 0, 2048), dark))
        go.Figure(inside_figures.shares(look, dark))
        go.Figure(inside_figures.settling(look, known, dark))
        go.Figure(inside_figures.settling(look, None, dark))
    assert "read as 3" in inside_figures.cards(look, True)
    assert "direction, by coordinate" in inside_figures.cards(look, False)


def test_the_ladder_goes_from_propagation_to_lines():
    problem = wb.load("D_mintree_1e-7")
    found = [n["ladder"] for n in inside.looking(problem, {}, 0) if "ladder" in n][-1]
    assert [r.name for r in found] == ["0", "1", "2", "3", ladder.LINES]
    with torch.no_grad():
        assert found[0].log10_p == wb.Moments()(problem).log10_p
        assert found[-1].log10_p == wb.Conditioned()(problem).log10_p
    known = (problem.truth.log10_p, 0.0)
    shown = go.Figure(ladder.figure(found, known))
    assert list(shown.data[0].x) == [r.name for r in found]
    assert "0 directions" in ladder.sentence(found, known)
    assert "0.01 digits from the truth" in ladder.sentence(found, known)
    plane = wb.Problem(wb.Box(torch.zeros(2), torch.ones(2)), chain([dense(torch.eye(2))]),
                       wb.Argmax(0))  # fmt: skip
    assert not list(ladder.rungs(plane)) and "cannot" in ladder.sentence((), known)


def test_nothing_is_computed_before_the_panel_is_opened():
    session = Session("A_d10_1e-6")
    view = Explore(session)
    view.settle()
    assert JOB not in session.worker.results
    view.inside.toggle.value = True
    session.worker.wait(JOB, PATIENCE)
    view.inside.pull()
    assert "100% of P" in view.inside.cards.value
    assert len(view.inside.ribbon.object["data"]) == 2
    assert "lines" in view.inside.ladder_words.value
    assert view.inside.state.value == ""
    session.sigma = 1.3
    assert "Out of date" in view.inside.state.value
    session.close()


def test_the_knob_is_a_setting_of_the_session():
    session = Session("digits")
    view = Explore(session)
    view.inside.toggle.value = True
    assert len(session.worker.wait(JOB, PATIENCE)["look"].summits) == 2
    view.inside.turn("summits", 1)
    assert view.inside.sliders["summits"].value == 1
    assert session.settings == {"conditioned": {"summits": 1}}
    view.inside.refresh()
    assert len(session.worker.wait(JOB, PATIENCE)["look"].summits) == 1
    session.close()


def test_both_faces_show_the_same_look():
    from workbench.views.widgets import ExploreWidgets

    session = Session("A_d10_1e-6")
    face = ExploreWidgets(session)
    face.inside.follow = lambda: None  # no event loop here: the test looks by itself
    face.inside.view.selected_index = 0
    session.worker.wait(JOB, PATIENCE)
    face.inside.pull()
    assert "100% of P" in face.inside.words["cards"].value
    assert len(face.inside.settling.shown["data"]) == 3
    assert (
        "directions" in face.inside.words["ladder"].value
        and len(face.inside.ladder.shown["data"]) == 1
    )
    session.close()


def test_every_stop_of_a_knob_is_a_setting_that_is_taken():
    for name, knob in KNOBS.items():
        for value in knob.values:
            assert getattr(wb.Conditioned(**{name: value}), name) == value
    session = Session("A_d10_1e-6")
    assert not Watched(session).current
    session.close()
