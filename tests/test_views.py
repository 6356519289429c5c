"""The Explore screen without a browser: the session, and both faces on it."""

import io
import math
import zipfile

import plotly.graph_objects as go
import pytest
import torch
from panel.io.location import Location

import workbench as wb
from workbench.errors import BadInput, Unsupported
from workbench.estimators import ALL
from workbench.problem.codec import zipped
from workbench.types import Pace
from workbench.views import roster, table
from workbench.views.picker import groups
from workbench.views.screen import Explore
from workbench.views.state import Session
from workbench.views.style import colour
from workbench.views.variation import std_along, steepest, varied

LINEAR = "A_d10_1e-6"
PATIENCE = 60.0


@pytest.fixture
def session():
    made = Session(LINEAR)
    yield made
    made.close()


# The session


def test_varied_problem_equals_one_built_by_hand(session):
    reference = wb.load(LINEAR)
    d, c = reference.distribution, reference.spec
    session.param.update(sigma=1.3, shift=0.4, lean=-1.5)
    offset = torch.zeros(d.dim, requires_grad=True)
    log_p = wb.Moments()(reference.vary(wb.Gaussian(d.mean + offset, d.scale))).log_p
    (gradient,) = torch.autograd.grad(log_p, offset)
    unit = gradient / gradient.norm()
    spread = torch.sqrt((unit**2 * d.scale**2).sum())
    by_hand = reference.vary(
        wb.Gaussian(d.mean - 1.5 * spread * unit, 1.3 * d.scale),
        wb.Halfspace(c.a, c.b - 0.4),
    )
    x = d.sample(64, torch.Generator().manual_seed(0))
    got = session.problem
    assert torch.allclose(got.distribution.mean, by_hand.distribution.mean, rtol=1e-12)
    assert torch.allclose(got.distribution.scale, by_hand.distribution.scale, rtol=1e-12)
    assert torch.allclose(got.margin(x), by_hand.margin(x), rtol=1e-12)
    assert session.closed_forms()["moments"].log10_p == pytest.approx(
        wb.Moments()(by_hand).log10_p, rel=1e-12
    )


def test_varied_problem_keeps_the_graph(session):
    session.sigma = 2.0
    assert session.problem.graph is session.reference.graph


def test_truth_holds_only_at_the_reference(session):
    assert session.truth is session.reference.truth
    for name, value in {"sigma": 1.1, "shift": 0.1, "lean": 0.1}.items():
        before = getattr(session, name)
        session.param.update(**{name: value})
        assert session.truth is None
        session.param.update(**{name: before})
        assert session.truth is not None


def test_linear_problem_reads_its_truth_on_every_closed_form(session):
    rows = session.closed_forms()
    made = [row.log10_p for row in rows.values() if row.state == "ready"]
    assert made == pytest.approx([session.truth.log10_p] * len(made), abs=1e-9) and len(made) > 3
    assert {key for key, row in rows.items() if row.state != "ready"} <= {"transitions"}  # of text


def test_steepest_ascent_of_a_linear_model_is_along_its_gradient():
    problem = wb.load(LINEAR)
    x = torch.zeros(1, problem.distribution.dim, requires_grad=True)
    (gradient,) = torch.autograd.grad(problem.margin(x).sum(), x)
    assert torch.allclose(steepest(problem), gradient[0] / gradient.norm(), atol=1e-10)


def test_std_along_a_mixture_is_that_of_its_total_covariance():
    a = wb.Gaussian(torch.tensor([-1.0, 0.0]), torch.tensor([0.5, 1.0]))
    b = wb.Gaussian(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 1.0]))
    mixture = wb.Mixture(torch.tensor([0.5, 0.5]), (a, b))
    assert std_along(mixture, torch.tensor([1.0, 0.0])) == pytest.approx(math.sqrt(1.25))


def test_every_distribution_can_be_stretched_and_moved():
    offset = torch.tensor([1.0, 0.0])
    box = varied(wb.Box(torch.zeros(2), torch.ones(2)), 2.0, offset)
    assert torch.allclose(box.low, torch.tensor([0.5, -0.5]))
    assert torch.allclose(box.high, torch.tensor([2.5, 1.5]))
    part = wb.Gaussian(torch.zeros(2), torch.ones(2))
    mixture = varied(wb.Mixture(torch.ones(1), (part,)), 2.0, offset)
    assert torch.equal(mixture.components[0].mean, offset)
    assert torch.equal(mixture.components[0].scale, 2.0 * torch.ones(2))


def test_state_survives_the_link(session):
    session.choose("A_d10_1e-3")
    session.param.update(sigma=1.25, shift=-0.5, lean=2.0, direction="random", seed=11)
    session.budget = 20_000
    session.setting("subset", "particles", 500)
    out = Location()
    out.sync(session, Session.in_url)
    back = Session()
    Location(search=out.search).sync(back, Session.in_url, on_error=pytest.fail)
    for name in Session.in_url:
        assert getattr(back, name) == getattr(session, name)
    assert torch.equal(back.problem.distribution.mean, session.problem.distribution.mean)
    back.close()


def test_a_link_with_values_that_there_are_not_is_taken_as_far_as_it_goes():
    session, refused = Session(), []
    link = Location(search="?problem=A_d10_1e-3&sigma=99&seed=4&direction=up")
    link.sync(session, Session.in_url, on_error=lambda values: refused.append(session.take(values)))
    assert (session.problem_name, session.seed, session.sigma) == ("A_d10_1e-3", 4, 1.0)
    assert "sigma = 99" in refused[0] and "direction = up" in refused[0]
    with pytest.raises(ValueError, match="nonsense"):
        session.problem_name = "nonsense"
    session.settings = {"moments": 3}
    notes = [r.note for key, r in session.closed_forms().items() if key != "transitions"]
    assert notes and all("must be names and values" in note for note in notes)


def test_new_seed_is_determined_by_the_old_one(session):
    session.seed = 5
    session.new_seed()
    first = session.seed
    session.seed = 5
    session.new_seed()
    assert session.seed == first != 5


def test_settings_keep_only_what_is_not_usual(session):
    session.setting("moments", "order", 3)
    assert session.settings == {"moments": {"order": 3}}
    session.setting("moments", "order", wb.Moments().order)
    assert session.settings == {}


def test_a_wrong_setting_is_a_sentence_in_its_row(session):
    session.setting("moments", "order", 99)
    row = session.closed_forms()["moments"]
    assert row.state == "unsupported"
    assert "1 to 40" in row.note


def test_unknown_settings_are_refused():
    with pytest.raises(BadInput, match="no setting 'speed'"):
        roster.build("subset", {"subset": {"speed": 1}})
    with pytest.raises(BadInput, match="must be of type int"):
        roster.build("subset", {"subset": {"particles": "many"}})


class Opaque(torch.nn.Module):
    """A model that samplers can run and propagation cannot read."""

    def forward(self, x):
        return torch.sort(x, dim=1).values


def opaque():
    return wb.Problem(
        wb.Gaussian(torch.zeros(2), torch.ones(2)),
        Opaque(),
        wb.Halfspace(torch.tensor([0.0, 1.0]), -1.0),
        name="opaque",
    )


def test_an_estimate_that_cannot_be_made_says_why_and_what_to_use():
    session = Session(opaque())
    readers = {cls.name for cls in ALL if cls.needs.readable}
    closed = [r for name, r in session.closed_forms().items() if name in readers]
    assert closed and {r.state for r in closed} == {"unsupported"}
    assert all("sort" in r.note and "try instead" in r.note for r in closed)
    assert all("monte_carlo" in r.note for r in closed)
    session.lean = 1.0  # the steepest direction cannot be had, and the screen must say so
    assert all("sort" in session.closed_forms()[name].note for name in readers & {"moments"})
    with pytest.raises(Unsupported):
        _ = session.problem
    session.direction = "random"
    assert session.problem.distribution.mean.norm() > 0
    view = Explore(session)
    assert "sort" in view.unfit.value
    session.close()


def test_card_archive_holds_a_card_that_loads(session, tmp_path):
    session.sigma = 1.5
    with zipfile.ZipFile(io.BytesIO(session.card_archive().read())) as archive:
        archive.extractall(tmp_path)
    back = wb.Problem.load(next(tmp_path.glob("*.json")))
    assert back.truth is None
    assert torch.equal(back.distribution.scale, session.problem.distribution.scale)


def test_every_setting_of_every_estimator_is_offered_with_its_meaning():
    for cls in ALL:
        for name in roster.settings_of(cls):
            assert roster.setting_doc(cls, name), f"{cls.name}.{name} has no line under Args"


def test_every_estimator_has_a_row_and_every_row_a_colour(session):
    listed = [r.key for r in session.rows()]
    assert listed == list(roster.roster())
    assert {cls.name for cls in ALL} <= set(listed)
    assert len({colour(key) for key in listed}) == len(listed)


# Sampling in the session


def test_an_error_while_sampling_stands_in_its_row():
    class Breaks(torch.nn.Module):
        def forward(self, x):
            if len(x) > 2:
                raise RuntimeError("out of patience")
            return x

    problem = wb.Problem(
        wb.Gaussian(torch.zeros(1), torch.ones(1)), Breaks(), wb.Halfspace(torch.ones(1), -1.0)
    )
    session = Session(problem)
    session.run("monte_carlo")
    session.worker.wait("monte_carlo", PATIENCE)
    row = next(r for r in session.rows() if r.key == "monte_carlo")
    assert (row.state, row.note) == ("error", "RuntimeError: out of patience")
    assert "out of patience" in table.table(session.rows(), None)
    session.close()


def test_sampled_rows_are_stale_where_the_sliders_moved_on(session):
    session.budget = 20_000
    session.run("monte_carlo")
    session.worker.wait("monte_carlo", PATIENCE)
    find = {r.key: r for r in session.rows()}
    assert find["monte_carlo"].state == "done"
    assert find["monte_carlo"].forwards == 20_000
    session.sigma = 1.5
    assert {r.key: r for r in session.rows()}["monte_carlo"].state == "stale"
    session.settle()
    assert {r.key: r for r in session.rows()}["monte_carlo"].state == "idle"


def test_another_problem_of_the_same_name_is_another_problem(session):
    """Of one name and the same kinds of D and C: nothing else tells the two apart."""
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    view, refused = Explore(session), []
    first, last = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    for model in (torch.nn.Sequential(first, torch.nn.Tanh(), last), torch.nn.Sequential(last)):
        problem = wb.Problem(d, model, wb.Halfspace(torch.ones(1), torch.tensor(-2.0)), "twin")
        view._open(zipped(problem))
        fresh = Session(session.reference)
        shown, expected = (
            {r.key: (r.state, r.note, r.log10_p) for r in s.rows()} for s in (session, fresh)
        )
        fresh.close()
        assert shown == expected
        assert repr(shown["moments"][2]) in view.table.value
        refused.append({key: note for key, (_, note, _) in shown.items()})
    assert refused[0] != refused[1]


def test_monte_carlo_in_the_worker_equals_monte_carlo(session):
    session.choose("A_d10_1e-3")
    session.param.update(budget=30_000, seed=3)
    session.play()
    session.worker.wait("monte_carlo", PATIENCE)
    got = next(r for r in session.rows() if r.key == "monte_carlo")
    want = wb.MonteCarlo()(session.problem, 30_000, 3)
    assert got.log10_p == want.log10_p
    assert got.interval == want.log10_interval
    session.reset()
    assert not session.running
    assert not session.worker.results


# Both faces on one session


def test_both_faces_follow_one_session():
    from workbench.views.widgets import ExploreWidgets

    session = Session(LINEAR)
    panel, widgets = Explore(session), ExploreWidgets(session)
    shown = f"data-log10p='{session.closed_forms()['moments'].log10_p!r}'"
    for face in (panel.table.value, widgets.table.value):
        assert shown in face
    panel.dials["sigma"].slider.value = math.log10(1.5)
    assert session.sigma == pytest.approx(1.5, rel=1e-3)
    assert widgets.sliders["sigma"].value == session.sigma
    shown = f"data-log10p='{session.closed_forms()['moments'].log10_p!r}'"
    assert shown in panel.table.value
    assert shown in widgets.table.value
    widgets.sliders["shift"].value = 1.0
    assert session.shift == 1.0
    assert panel.dials["shift"].number.value == 1.0
    sampled = [n for n in session.worker.results if roster.roster()[n].pace is Pace.ASKED]
    assert not sampled  # nothing samples before it is asked to
    go.Figure(panel.chart.object)
    go.Figure(panel.margin_chart.object)
    session.close()


def test_switching_the_problem_goes_to_its_reference():
    session = Session(LINEAR)
    view = Explore(session)
    session.sigma = 2.0
    view.picker.value = "C_digits_p8_s15"
    assert session.problem_name == "C_digits_p8_s15"
    assert session.at_reference
    assert view.pictures.visible or view._late
    session.close()


def test_picker_groups_every_problem_once():
    names = wb.catalogue.names()
    listed = [n for group in groups(names).values() for n in group]
    assert sorted(listed) == names
    assert next(iter(groups(["mine", *names]))) == "Your own"


def test_a_sentence_is_shown_where_a_button_cannot_serve(session):
    view = Explore(session)
    session.setting("subset", "keep", 2.0)
    view.ask["subset"].clicks += 1
    assert "keep must lie between 0 and 1" in view.status.value


def test_a_row_that_turns_out_slow_stands_until_something_moves(monkeypatch):
    """It follows no slider any more, and is made again once they rest."""
    from workbench.views import pace

    session = Session("A_d10_1e-6")
    first = session.closed_forms()["moments"]
    monkeypatch.setattr(pace, "DRAG", -1.0)
    monkeypatch.setattr(pace, "FIRST", -1.0)  # nothing is fast enough
    assert session.closed_forms()["moments"] is first
    session.sigma = 1.5
    states = {row.key: row.state for row in session.rows()}
    assert "moments" not in session.closed_forms() and states["moments"] == "idle"
    session.refresh()
    session.worker.wait("moments")
    states = {row.key: row.state for row in session.rows()}
    assert states["moments"] == "done"
    session.close()
