"""Rows of the Explore table: their order, pace and accents, also for estimators yet to come."""

import itertools
import math
import re
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

import workbench as wb
from workbench.estimators import ALL, Estimate, Estimator, Needs
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.types import Pace
from workbench.views import roster, rows, style, table
from workbench.views.screen import Explore
from workbench.views.state import GO, HOLD, Session

LINEAR = "A_d10_1e-6"
PATIENCE = 60.0
CONES = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no long": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no middle": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no short": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""What each eye makes of linear RGB (Machado, Oliveira & Fernandes 2009, severity 1)."""


@dataclass(frozen=True, kw_only=True)
class Done(State):
    log_p: float = -math.inf
    done: bool = False


@dataclass(frozen=True)
class Slow(Estimator):
    """Deterministic: log P = -5 ln 10, after a rest.

    Args:
        rest: seconds a step takes.
    """

    rest: float = 0.0
    name: ClassVar[str] = "slow"
    kind: ClassVar[wb.Kind] = wb.Kind.HEURISTIC
    grad: ClassVar[wb.Grad] = wb.Grad.NONE
    needs: ClassVar[Needs] = Needs()
    pace: ClassVar[Pace] = Pace.AT_REST

    def init(self, problem, rng):
        return Done(rng=rng)

    def step(self, problem, state):
        time.sleep(self.rest)
        return replace(state, log_p=-5 * math.log(10), done=True, forwards=state.forwards + 1)

    def read(self, state):
        return Estimate(torch.tensor(state.log_p), None, self.kind)

    def finished(self, state):
        return state.done


class Heavy(Slow):
    """Promises to be live.

    Args:
        rest: seconds a step takes.
    """

    name = "heavy"
    pace = Pace.LIVE


def more(count):
    """As many other estimators that wait to be asked."""
    return tuple(
        type(f"E{k}", (Slow,), {"name": f"e_{k}", "pace": Pace.ASKED}) for k in range(count)
    )


@pytest.fixture
def with_estimators(monkeypatch):
    """Puts estimators beside those there are, for the length of a test."""

    def put(*classes):
        monkeypatch.setattr(roster, "ALL", (*classes, *ALL))
        monkeypatch.setattr(roster, "BY_NAME", {c.name: c for c in (*classes, *ALL)})
        roster.roster.cache_clear()
        style._accents.cache_clear()

    yield put
    monkeypatch.undo()
    roster.roster.cache_clear()
    style._accents.cache_clear()


@pytest.fixture
def session():
    made = Session(LINEAR)
    yield made
    made.close()


def by_key(session):
    return {row.key: row for row in session.rows()}


# Pace


def test_a_row_at_rest_is_made_in_the_worker_and_only_anew_where_the_problem_moved(
    with_estimators, session
):
    with_estimators(Slow)
    assert by_key(session)["slow"].state == "idle"
    assert session.worker.alive is False  # no slider ever waits for it
    session.refresh()
    session.worker.wait("slow", PATIENCE)
    done = by_key(session)["slow"]
    assert (done.state, done.log10_p) == ("done", pytest.approx(-5.0))
    made = session.worker.results["slow"]["estimate"]
    session.param.update(seed=5, budget=2_000)
    session.settle()
    session.refresh()
    assert session.worker.results["slow"]["estimate"] is made
    session.sigma = 1.5
    assert by_key(session)["slow"].state == "stale"
    session.settle()
    session.refresh()
    session.worker.wait("slow", PATIENCE)
    assert by_key(session)["slow"].state == "done"


def test_a_live_row_that_proves_slow_leaves_the_sliders(with_estimators, session):
    with_estimators(Heavy)
    session.setting("heavy", "rest", 0.5)
    assert by_key(session)["heavy"].state == "ready"  # made on the spot, once
    start = time.perf_counter()
    session.sigma = 1.5
    assert by_key(session)["heavy"].state == "idle"
    assert time.perf_counter() - start < 0.5
    session.setting("heavy", "rest", 0.0)
    session.settle()
    session.refresh()  # cheap again, as the worker finds out
    session.worker.wait("heavy", PATIENCE)
    session.sigma = 1.8
    assert by_key(session)["heavy"].state == "ready"


def test_the_screen_makes_rows_at_rest_unasked_and_needs_no_button_for_them(with_estimators):
    with_estimators(Slow)
    session = Session(LINEAR)
    view = Explore(session)
    view.settle()
    while view._late:
        view._late.pop(0)()
    session.worker.wait("slow", PATIENCE)
    view._moved_at = -math.inf
    view.pull()
    assert "wb-estimate-slow' data-log10p" in view.table.value
    assert not view.ask["slow"].visible
    assert view.ask["subset"].visible
    session.close()


def test_a_button_runs_holds_and_lets_go_on(session):
    def offer():
        return session.offer(by_key(session)["subset"])

    assert offer() == f"{GO} subset simulation"
    session.budget = 100_000_000
    session.toggle("subset")
    assert offer() == f"{HOLD} subset simulation"
    session.toggle("subset")
    assert offer() == f"{GO} subset simulation"
    held = session.worker.results["subset"].get("fraction")
    session.toggle("subset")
    assert offer() == f"{HOLD} subset simulation"
    assert session.worker.results["subset"].get("fraction") >= held


# The table with many estimators


def test_twelve_more_estimators_leave_the_table_readable(with_estimators, session):
    with_estimators(*more(12), Slow)
    found = session.rows()
    paces = [roster.roster()[row.key].pace for row in found]
    assert paces == sorted(paces, key=list(Pace).index)
    drawn = table.table(found, session.truth)
    reasons = {row.note for row in found if row.state == "unsupported"}
    asked = [roster.roster()[row.key].pace is Pace.ASKED for row in found]
    refused = [row.state == "unsupported" for row in found]
    shown = sum(not (a or r) for a, r in zip(asked, refused, strict=True))
    assert drawn.count("<tr") == 1 + shown
    assert "e_3" not in drawn
    folded = table.refused(found)
    assert folded.count("<tr") == len(reasons)
    assert (
        f"{sum(refused)} estimators do not fit" in folded and "<details class='wb-unfit'>" in folded
    )


def test_rows_that_cannot_be_made_for_one_reason_share_a_line():
    refused = [
        rows.Row(key, key, wb.Kind.HEURISTIC, "unsupported", note=note)
        for key, note in (("moments", "no"), ("gld", "never"), ("subset", "no"))
    ]
    drawn = table.refused(refused, "gld")
    assert drawn.count("<tr") == 2 and "<details class='wb-unfit' open>" in drawn
    assert table.table(refused, None).count("<tr") == 1 and table.refused([]) == ""
    assert "wb-estimate-moments wb-estimate-subset" in drawn


def test_what_to_use_instead_is_said_once():
    refused = [
        rows.Row(key, key, wb.Kind.HEURISTIC, "unsupported", note=f"{key} {note}; try instead: gld")
        for key, note in (("moments", "no"), ("subset", "no"))
    ]
    drawn = re.sub(r" title='[^']*'", "", table.refused(refused))
    assert "moments no; try instead: gld" in drawn
    assert "subset no<" in drawn


# Accents


def accents(keys):
    return [(style.colour(key), style.symbol(key)) for key in keys]


def test_every_row_has_an_accent_of_its_own_and_keeps_it_when_others_come(with_estimators):
    old = list(roster.roster())
    before = accents(old)
    room = len(style.ACCENTS) + len(style.SPARE) - len(old)
    with_estimators(*more(room))
    found = accents(roster.roster())
    assert len(set(found)) == len(found)
    known = [key for key in old if key in style.ACCENTS]
    assert accents(known) == [before[old.index(key)] for key in known]
    with_estimators(*more(room + 3))  # more than there are accents: shared, but never without one
    assert all(colour.startswith("#") for colour, _ in accents(roster.roster()))


def linear(colour):
    c = torch.tensor([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Ottosson's perceptual space, from linear RGB."""
    lms = torch.tensor([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.63]])
    lab = torch.tensor(
        [[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    )
    return lab @ (lms @ rgb.clamp(min=0.0)) ** (1 / 3)


@pytest.mark.parametrize("eye", CONES)
def test_accents_differ_for_every_eye(eye):
    sees = torch.tensor(CONES[eye], dtype=torch.float64)
    every = [*style.ACCENTS.values(), *style.SPARE]
    for (a, mark), (b, other) in itertools.combinations(every, 2):
        apart = float((oklab(sees @ linear(a)) - oklab(sees @ linear(b))).norm())
        assert mark != other
        assert apart > 0.05, f"{a} and {b} look alike"


def light(colour):
    """Relative luminance and what a screen reflects, as WCAG 2 has it."""
    return float(linear(colour) @ torch.tensor([0.2126, 0.7152, 0.0722])) + 0.05


@pytest.mark.parametrize("ground", ["#FFFFFF", "#212529"])
def test_accents_stand_out_from_the_ground(ground):
    for colour, _ in (*style.ACCENTS.values(), *style.SPARE):
        ratio = light(colour) / light(ground)
        assert max(ratio, 1 / ratio) > 2.0


def test_a_heuristic_shows_its_own_indicator():
    problem = wb.load("B_w32_h2_1e-3")
    entry = roster.roster()["conditioned"]
    with torch.no_grad():
        estimate = wb.Conditioned()(problem)
    done = {"state": "done", "estimate": estimate, "fraction": 1.0, "position": 1}
    row = rows.worker_row(entry, done, 1)
    assert row.indicator == estimate.indicator and row.err is None
    assert f"heuristic, ~{estimate.indicator:.1g}" in table.table([row], problem.truth)


def test_a_heuristic_that_still_searches_shows_no_zero():
    entry = roster.roster()["conditioned"]
    nothing = Estimate(torch.tensor(-math.inf), None, wb.Kind.HEURISTIC, Cost(forwards=10))
    for state, shown in (("running", None), ("done", -math.inf)):
        result = {"state": state, "estimate": nothing, "fraction": 0.5, "position": 1}
        assert rows.worker_row(entry, result, 1).log10_p == shown


def test_words_of_warning_are_read_on_either_ground():
    for dark, ground in ((False, "#ffffff"), (True, "#212529")):
        tones = re.findall(r"#[0-9a-f]{6}", style.TONES[dark])
        assert len(tones) == 2
        for tone in tones:
            ratio = light(tone) / light(ground)
            assert max(ratio, 1 / ratio) > 5.5, (tone, ground)


def test_what_a_row_above_has_warned_of_is_not_said_again():
    row = rows.Row("moments", "a", wb.Kind.HEURISTIC, "ready", -7.0, warning="Too narrow; too deep")
    again = replace(row, key="slices", warning="odd weights; too narrow")
    shown = table.table([row, again, replace(again, key="gld")], None)
    said = re.findall(r"<td colspan='5' title='([^']*)'>([^<]*)<", shown)
    assert [whole for whole, _ in said] == [row.warning, again.warning, again.warning]
    assert [text for _, text in said] == [row.warning, "Odd weights; and as above.", "As above."]
