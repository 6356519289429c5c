"""The Compare screen without a browser: the session, its jobs, charts, and both faces on it."""

import csv
import io
import math
import re
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import plotly.graph_objects as go
import pytest
import torch
from panel.io.location import Location

import workbench as wb
from workbench.errors import BadInput
from workbench.estimators import Needs
from workbench.experiments import compare
from workbench.iteration import State
from workbench.math.logspace import LN10
from workbench.views import compare_plots, compare_words
from workbench.views import table as estimates
from workbench.views.compare_job import job
from workbench.views.compare_screen import Compare
from workbench.views.compare_session import CompareSession
from workbench.views.compare_table import table
from workbench.views.rooms import House
from workbench.views.roster import BY_NAME, roster
from workbench.views.widgets_compare import CompareWidgets

EASY, RARE = "A_d10_1e-3", "A_d10_1e-6"


def test_estimators_are_given_by_name_or_as_they_are_made():
    given = ["moments", wb.Subset(particles=50), wb.Moments(propagator="mean")]
    made = CompareSession([EASY], estimators=given, settings={"gld": {"batch": 9}})
    assert made.estimators == ["moments", "subset", "moments_mean"]
    assert made.settings == {"gld": {"batch": 9}, "subset": {"particles": 50}}
    made.close()
    for own, said in (
        (Namesake(), r"no estimator Namesake\(\): it takes .* under a name of its own"),
        ("nope", "no estimator 'nope': it takes"),
        (3, "no estimator 3: it takes"),
        (wb.Subset(particles=9), "shows subset simulation once"),
    ):
        with pytest.raises(BadInput, match=said):
            CompareSession([EASY], estimators=["subset", own])


@dataclass(frozen=True)
class Slow(wb.Estimator):
    """A step of a millisecond is one forward: it does not end while a test looks."""

    name: ClassVar[str] = "slow"
    kind: ClassVar[wb.Kind] = wb.Kind.UNBIASED
    grad: ClassVar[wb.Grad] = wb.Grad.NONE
    needs: ClassVar[Needs] = Needs()

    def init(self, problem, rng):
        return State(rng=rng)

    def step(self, problem, state):
        time.sleep(1e-3)
        return replace(state, forwards=state.forwards + 1)

    def read(self, state):
        return wb.Estimate(torch.tensor(-1.0), 0.1, self.kind)


def through(session):
    """Wait for all that runs."""
    for name in session.worker.results:
        session.worker.wait(name)
    return {(c.problem, c.key): c for c in session.cells()}


@pytest.fixture
def session():
    made = CompareSession(
        [EASY, RARE], estimators=["moments", "monte_carlo", "subset"], budget=2000, seeds=3
    )
    yield made
    made.close()


# The session


@dataclass(frozen=True)
class Namesake(Slow):
    """It calls itself what one of the library's does."""

    name: ClassVar[str] = "gld"


@pytest.mark.parametrize("face", [Compare, CompareWidgets])
def test_an_estimator_of_ones_own_runs_as_it_was_made(face):
    session = CompareSession([RARE], estimators=["moments", Slow()], budget=100, seeds=2)
    view = face(session).finish()
    moments, own = session.cells()
    assert (own.title, own.state, len(own.rows)) == ("slow", "done", 2)
    assert own.summary["forwards"] == 100 and moments.state == "done"
    assert session.estimators == ["moments", "slow"] and "slow" in session.csv()
    for act, said in (("recipe", "your own"), ("open", "Explore shows")):
        view.press({"do": act, "problem": RARE, "key": "slow"})
        assert said in view.status.value
    session.close()


def test_cells_are_what_the_library_compares(session):
    session.start()
    cells = through(session)
    problems = [wb.load(name) for name in (EASY, RARE)]
    methods = [wb.Moments(), wb.MonteCarlo(), wb.Subset()]
    rows = list(compare(problems, methods, wb.Budget(2000), range(3)))
    timeless = lambda row: {k: v for k, v in row.items() if k != "seconds"}  # noqa: E731
    assert [timeless(r) for r in session.rows()] == [timeless(r) for r in rows]
    assert {c.state for c in cells.values()} == {"done"}
    assert len(cells[EASY, "moments"].rows) == 1 and len(cells[EASY, "subset"].rows) == 3
    for cell in cells.values():
        for row, trace in zip(cell.rows, cell.traces, strict=True):
            if math.isfinite(row["log10_p"]):
                assert trace[-1] == (row["forwards"], row["log10_p"])


def test_nothing_runs_before_it_is_asked_to(session):
    assert {c.state for c in session.cells()} == {"idle"}
    assert not session.worker.alive


def test_more_seeds_keep_the_runs_that_there_are(session):
    session.start()
    first = through(session)[EASY, "subset"].rows
    session.seeds = 5
    assert {c.state for c in session.cells()} == {"done", "idle"}
    session.start()
    after = through(session)[EASY, "subset"].rows
    assert after[:3] == first and [r["seed"] for r in after] == [0, 1, 2, 3, 4]
    session.seeds = 2
    assert len({c.key: c for c in session.cells()}["subset"].rows) == 2


def test_another_budget_or_setting_makes_rows_stale_and_runs_them_anew(session):
    session.start()
    through(session)
    session.setting("subset", "particles", 300)
    states = {c.key: c.state for c in session.cells()}
    assert states == {"moments": "done", "monte_carlo": "done", "subset": "stale"}
    session.budget = 3000
    assert {c.state for c in session.cells()} == {"stale"}
    assert session.rows() == []
    session.start()
    cells = through(session)
    assert {r["forwards"] for r in cells[EASY, "monte_carlo"].rows} == {3000}
    assert cells[EASY, "subset"].rows[0]["settings"]["particles"] == 300


def test_a_job_publishes_each_run_as_it_ends():
    """500 of 1,500 forwards a step: the share grows evenly over both runs."""
    news = list(job(wb.load(EASY), wb.MonteCarlo(batch=500), wb.Budget(1500), range(2)))
    assert [len(n["rows"]) for n in news] == [0, 0, 0, 1, 1, 1, 1, 2]
    shares = [0, 1 / 6, 2 / 6, 3 / 6, 3 / 6, 4 / 6, 5 / 6, 1]
    assert [n["fraction"] for n in news] == pytest.approx(shares)


def test_a_proved_answer_is_a_run_too():
    """Between 0 and 1 the margin -x - 1 is never positive: nothing need be drawn to know."""
    unit = wb.Box(torch.zeros(1), torch.ones(1))
    never = wb.Problem(unit, torch.nn.Identity(), wb.Halfspace(torch.tensor([-1.0]), -1.0), "never")
    *_, news = job(never, wb.MonteCarlo(), wb.Budget(1000), range(2))
    assert [r["log10_p"] for r in news["rows"]] == [-math.inf] * 2 and news["fraction"] == 1.0


def test_a_cancelled_cell_keeps_its_runs_and_goes_on(session, monkeypatch):
    estimators = roster()
    slow = replace(estimators["monte_carlo"], key="slow", title="slow", cls=Slow)
    monkeypatch.setitem(estimators, "slow", slow)
    monkeypatch.setitem(BY_NAME, "slow", Slow)
    session.param.estimators.objects = list(estimators)
    session.param.update(problems=[EASY], estimators=["slow", "moments"], budget=10**9)
    session.start()
    session.worker.wait(f"{EASY} moments")  # it had its turn although the other never ends
    session.cancel(EASY, "slow")
    stopped, done = session.cells()
    assert (stopped.state, done.state) == ("stopped", "done")
    assert not session.running
    session.run(EASY, "slow")
    assert session.cells()[0].state in ("running", "waiting") and session.running
    session.stop()
    assert not session.running


def test_a_refusal_says_why_and_what_to_use_instead(session, monkeypatch):
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    branches = lambda x: x if float(x.sum()) > 0 else 2.0 * x  # noqa: E731

    class Branches(torch.nn.Module):
        def forward(self, x):
            return branches(x)

    own = wb.Problem(d, Branches(), wb.Halfspace(torch.tensor([1.0, 0.0]), -1.0), "branches")
    mine = CompareSession([own], estimators=["moments", "monte_carlo"], budget=500, seeds=1)
    mine.start()
    cells = through(mine)
    assert cells["branches", "moments"].state == "refused"
    assert re.search(r"try instead: .*monte_carlo", cells["branches", "moments"].note)
    shown = table(mine.cells(), [own])
    assert "cannot be traced" in shown and "no truth is stored" in shown
    assert cells["branches", "monte_carlo"].summary["error"] is None
    with pytest.raises(BadInput, match=r"save it with `problem\.save"):
        mine.recipe("branches", "monte_carlo")
    mine.close()


def test_a_card_of_ones_own_is_compared_by_its_path(tmp_path):
    path = str(replace(wb.load(EASY), name="mine").save(tmp_path))
    mine = CompareSession([path, RARE], estimators=["moments"], budget=500, seeds=1)
    assert mine.problems == ["mine", RARE]
    assert f"wb.load({path!r})" in mine.recipe("mine", "moments")
    with pytest.raises(BadInput, match="no problem"):
        CompareSession(["nonsense"])
    mine.close()


def test_state_survives_the_link(session):
    session.param.update(problems=[RARE], budget=20_000, seeds=7, shown=RARE, estimators=["subset"])
    session.setting("subset", "particles", 500)
    out = Location()
    out.sync(session, CompareSession.in_url)
    back = CompareSession()
    Location(search=out.search).sync(back, CompareSession.in_url, on_error=pytest.fail)
    for name in CompareSession.in_url:
        assert getattr(back, name) == getattr(session, name)
    back.close()


def test_a_link_with_names_that_there_are_not_is_taken_as_far_as_it_goes():
    session, refused = CompareSession(), []
    link = Location(search=f'?problems=["{RARE}","nope"]&seeds=0&runs_of=5000&shown={RARE}')
    link.sync(
        session, CompareSession.in_url, on_error=lambda values: refused.append(session.take(values))
    )
    assert (session.problems, session.budget, session.shown) == ([RARE], 5000, RARE)
    assert "nope" in refused[0] and "seeds = 0" in refused[0]
    session.close()


# What is exported


def test_exports_hold_the_finished_runs(session):
    parquet = pytest.importorskip("pyarrow.parquet")
    session.start()
    through(session)
    by_csv = list(csv.DictReader(io.StringIO(session.csv())))
    by_parquet = parquet.read_table(io.BytesIO(session.parquet())).to_pylist()
    logs = [r["log10_p"] for r in session.rows()]
    assert [float(r["log10_p"]) for r in by_csv] == logs
    assert [r["log10_p"] for r in by_parquet] == logs
    assert by_parquet[0]["version"] == wb.__version__


def test_recipe_names_what_is_not_usual(session):
    session.setting("subset", "particles", 500)
    text = session.recipe(RARE, "subset")
    assert f"wb.load({RARE!r}), wb.Subset(particles=500)" in text
    assert "wb.Budget(2_000), range(0, 3)" in text
    compile(text, "cell", "exec")


# Charts and words


def test_line_of_monte_carlo_is_its_relative_error(session):
    p = 1e-3
    figure = compare_plots.error_against_forwards([], -3.0)
    lines = [t for t in figure["data"] if "plain Monte Carlo" in t["hovertemplate"]]
    ends = [(x, y) for t in lines for x, y in zip(t["x"], t["y"], strict=True)]
    for n, y in ends:
        assert y * LN10 == pytest.approx(math.sqrt((1 - p) / (p * n)), rel=1e-12)
    assert [t["line"]["dash"] for t in lines] == ["dot", "solid"]
    assert lines[0]["x"][1] == pytest.approx(1 / p, rel=1e-12)  # there one event is expected
    go.Figure(figure)


def test_charts_show_every_run_once(session):
    session.start()
    through(session)
    cells = session.cells()
    figure = compare_plots.error_against_forwards(compare_plots.of_cells(cells, EASY), -3.0)
    shown = [t for t in figure["data"] if any("seed" in s for s in t.get("text", ()))]
    assert sum(len(t["x"]) for t in shown) == 7  # one run of moments, three of each sampler
    claims = compare_plots.calibration(compare_plots.of_cells(cells))
    points = [t for t in claims["data"] if t["mode"] == "markers"]
    told = [r for r in session.rows() if r["log10_err"] is not None]
    told = [r for r in told if math.isfinite(r["log10_err"]) and math.isfinite(r["error"])]
    assert sum(len(t["x"]) for t in points) == len(told) > 0
    go.Figure(claims)


def test_words_name_who_is_confidently_wrong():
    row = {
        "problem": RARE, "estimator": "subset", "settings": {}, "kind": "consistent", "seed": 0,
        "truth": -6.0, "truth_se": 0.0, "log10_p": -6.8, "log10_err": 0.02, "error": -0.8,
        "log10_interval": [-6.84, -6.76], "covers": False, "forwards": 1000, "flops": 1.0,
        "seconds": 0.1, "warning": "",
    }  # fmt: skip
    session = CompareSession([RARE], estimators=["subset"], budget=1000, seeds=1)
    finished = iter([{"rows": (row,), "traces": ((),), "fraction": 1.0}])
    session.worker.start(
        f"{RARE} subset", finished, ticket=session._ticket(RARE, "subset"), seeds=1
    )
    (cell,) = through(session).values()
    said = compare_words.calibration_sentence([cell])
    assert "Confidently wrong: subset simulation on A_d10_1e-6" in said
    assert "subset simulation 0 of 1" in said
    assert "class='n bad' data-error='-0.8'" in table([cell], [wb.load(RARE)])
    wary = replace(cell, summary={**cell.summary, "warning": "a mode may be missing"})
    assert "Confidently wrong" not in compare_words.calibration_sentence([wary])
    needed = "10<sup>8.0</sup>"  # (1 - P) / P / 0.01
    assert needed in compare_words.error_sentence([cell], wb.load(RARE), 1000)
    session.close()


# Both faces


def test_both_faces_follow_one_session(session):
    panel, widgets = Compare(session), CompareWidgets(session)
    session.start()
    through(session)
    panel.pull()
    widgets.paint()
    for face in (panel.table.html, widgets.table.html):
        logs = re.findall(r"data-log10p='([^']*)'", face)
        assert [float(x) for x in logs] == [c.summary["log10_p"] for c in session.cells()]
    panel.problems.value = [RARE]
    assert session.problems == [RARE] and widgets.problems.value == (RARE,)
    widgets.estimators.value = ("subset",)
    assert session.estimators == ["subset"] and panel.estimators.value == ["subset"]
    widgets.budget.value = 5000
    assert session.budget == 5000 and panel.budget.number.value == 5000
    go.Figure(panel.errors.object)
    folded = widgets.children[0].children[0].children[-1].children[0]  # the settings, folded
    lines = next(c for box in folded.children for c in box.children if c.description == "lines")
    lines.value = 96
    assert session.settings == {"conditioned": {"lines": 96}}
    lines.value = 0
    widgets.estimators.value = ("conditioned",)
    assert "lines" in widgets.table.html and "got 0" in widgets.table.html


@pytest.mark.parametrize("face", [Compare, CompareWidgets])
def test_buttons_of_the_table(session, face):
    view = face(session)
    where = {"problem": RARE, "key": "monte_carlo"}
    view.press({"do": "recipe", **where})
    assert "wb.MonteCarlo()" in view.table.html
    view.press({"do": "hide"})
    assert "wb.MonteCarlo()" not in view.table.html
    view.press({"do": "nonsense", **where})
    view.press({"do": "cancel", **where})  # nothing runs: nothing happens
    assert {c.state for c in session.cells()} == {"idle"}
    session.close()  # so that what is opened next does not run in the background


def test_a_pressed_cell_opens_in_explore_with_its_row_marked(session):
    told = []
    view = Compare(session, open_cell=lambda *where: told.append(where))
    view.press({"do": "open", "problem": RARE, "key": "subset"})
    assert told == [(RARE, "subset", session)]
    below = Compare(session)
    below.press({"do": "open", "problem": RARE, "key": "subset"})
    opened = below.opened
    assert (opened.problem_name, opened.budget, opened.marked) == (RARE, 2000, "subset")
    opened.worker.wait("subset")
    rows = opened.rows()
    assert estimates.table(rows, opened.truth, opened.marked).count("wb-marked") == 1
    opened.close()


def test_rooms_are_made_when_entered_and_opened_by_a_cell(session):
    house = House()
    house.open()
    assert list(house.made) == ["explore"]
    house.room = "compare"
    explore, comparison = house._sessions
    assert not house.made["explore"].layout.visible and house.made["compare"].layout.visible
    assert not explore.running
    house._open_cell(RARE, "moments", comparison)
    assert house.room == "explore" and explore.problem_name == RARE and explore.marked == "moments"
    house.close()
    assert not explore.worker.alive and not comparison.worker.alive
