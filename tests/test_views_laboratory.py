"""The room Laboratory without a browser: its tabs, both faces made from one description."""

import param
import plotly.graph_objects as go
import pytest
from panel.io.location import Location

from workbench.errors import BadInput
from workbench.views import laboratories, laboratory_screen
from workbench.views.lab import (
    Action,
    Chart,
    Laboratory,
    LabSession,
    Parsed,
    Slider,
    Words,
)
from workbench.views.lab_screen import LabScreen
from workbench.views.lab_widgets import LabWidgets
from workbench.views.laboratories import ALL, Tabs, find
from workbench.views.laboratory_screen import LaboratoryScreen
from workbench.views.rooms import House

PATIENCE = 60.0


def even(text):
    if len(text) % 2:
        raise BadInput(f"even words only, got {text!r}")


class Counting(LabSession):
    """A laboratory of the tests: it counts to `end`."""

    kept = ("end", "word")

    end = param.Integer(3, bounds=(1, 9), label="End", doc="Of the count.")
    start = param.Number(0.5, bounds=(0, 1), label="Start", doc="Of a slider.")
    word = Parsed("ab", parse=even, label="Word", doc="Even.")
    kind = param.Selector(objects={"One": 1, "Two": 2}, default=1, label="Kind", doc="A choice.")
    loud = param.Boolean(False, label="Loud", doc="A tick.")

    rested = 0
    left = 0

    def begin(self):
        self.count()

    def settled(self):
        self.rested += 1

    def leave(self):
        self.left += 1

    def count(self):
        self.worker.start("count", ({"at": k + 1} for k in range(self.end)), at=0)

    def refuse(self):
        raise BadInput("<never>")


COUNTING = Laboratory(
    "counting", "Counting", "It counts.", Counting,
    (Slider("start", 0.1, 0.9), "end", "word", "kind", "loud"),
    (
        Action("Count", "count", "Once more.", True, lambda s: not s.running("count")),
        Action("Refuse", "refuse", "In vain."),
    ),
    (
        Words("At", lambda s, dark: f"<b>{s.found('count').get('at')}</b>", "at"),
        Chart(
            "A line", lambda s, dark, height: {
                "data": [{"type": "scatter", "x": [0], "y": [s.end]}], "layout": {"height": height}
            },
            "line", lambda s: f"ends at {s.end}",
        ),
    ),
)  # fmt: skip


@pytest.fixture
def session():
    made = Counting()
    yield made
    made.close()


@pytest.fixture(params=[LabScreen, LabWidgets])
def face(request, session):
    return request.param(COUNTING, session)


def counted(session):
    session.worker.wait("count", PATIENCE)


def press(face, method):
    made = face.buttons[method]
    made.click() if isinstance(face, LabWidgets) else made.param.trigger("clicks")


def test_both_faces_are_made_from_the_description(face, session):
    assert set(face.controls) == {"start", "end", "word", "kind", "loud"}
    face.begin()
    counted(session)
    face.paint()
    assert "<b>3</b>" in face.words["at"].value
    assert "ends at 3" in face.words["line"].value


def test_controls_set_the_session_and_follow_it(face, session):
    face.controls["end"].value = 5
    assert session.end == 5 and session.rested == 1
    assert "ends at 5" in face.words["line"].value
    session.end = 2
    assert face.controls["end"].value == 2 and session.rested == 1
    face.controls["kind"].value = 2
    face.controls["loud"].value = True
    assert (session.kind, session.loud, session.rested) == (2, True, 3)


def test_what_is_refused_stays_on_the_screen(face, session):
    press(face, "refuse")
    assert "&lt;never&gt;" in face.status.value
    face.controls["word"].value = "abc"
    assert "even words only" in face.status.value and session.word == "ab"
    face.controls["word"].value = "abcd"
    assert session.word == "abcd" and face.status.value == ""


def test_a_button_is_pressed_and_rests_while_there_is_nothing_to_do(face, session):
    press(face, "count")
    counted(session)
    face.paint()
    assert not face.buttons["count"].disabled
    session.worker.start("count", iter([{"at": 0}, {"at": 1}]))
    session.worker.pause("count")
    counting = COUNTING.actions[0].enabled
    assert counting(session) is not session.running("count")


def test_stop_drops_what_runs(session):
    def forever():
        while True:
            yield {}

    session.worker.start("count", forever())
    session.stop()
    assert session.found("count") == {} and not session.worker.busy


def test_names_in_the_link_are_the_laboratorys_own(session):
    assert COUNTING.in_url == {"end": "counting_end", "word": "counting_word"}
    session.param.update(end=7, word="wxyz")
    out = Location()
    out.sync(session, COUNTING.in_url)
    back = Counting()
    Location(search=out.search).sync(back, COUNTING.in_url, on_error=pytest.fail)
    assert (back.end, back.word) == (7, "wxyz")
    assert "word = abc" in back.take({"word": "abc", "end": 4}) and back.end == 4
    back.close()


# The room


def test_every_laboratory_is_sound():
    assert len({lab.name for lab in ALL}) == len(ALL) == len({lab.title for lab in ALL})
    for lab in ALL:
        made = lab.session()
        for control in lab.controls:
            name = control.name if isinstance(control, Slider) else control
            assert made.param[name].doc, f"{lab.name}: {name} says nothing of itself"
        assert set(lab.session.kept) <= set(made.param)
        assert all(callable(getattr(made, a.method)) and a.doc for a in lab.actions)
        for block in lab.blocks:
            if isinstance(block, Chart):
                go.Figure(block.draw(made, False, block.height))
        made.close()


def test_unknown_laboratories_are_refused():
    with pytest.raises(BadInput, match="no laboratory 'nope'"):
        find("nope")


def test_the_room_makes_a_tab_when_it_is_entered_and_tells_it_when_it_is_left(monkeypatch):
    other = Laboratory("second", "Second", "Too.", Counting, (), (), COUNTING.blocks)
    both = {"counting": COUNTING, "second": other}
    monkeypatch.setattr(laboratories, "LABORATORIES", both)
    monkeypatch.setattr(laboratory_screen, "find", both.__getitem__)
    tabs = Tabs()
    tabs.param.tab.objects = list(both)
    tabs.tab = "counting"
    seen = []
    view = LaboratoryScreen(tabs, sync=lambda session: seen.append(session) or "")
    assert list(view.made) == ["counting"]
    view.enter()
    counted(view.made["counting"].session)
    tabs.tab = "second"
    first, second = (view.made[name] for name in both)
    assert seen == [first.session, second.session]
    assert first.session.left == 1 and not first.layout.visible and second.layout.visible
    counted(second.session)
    view.leave()
    assert second.session.left == 1
    for one in seen:
        one.close()


def test_the_house_has_the_room_and_ends_its_work():
    house = House()
    house.open()
    house.room = "laboratory"
    session = house._sessions[-1]
    assert isinstance(session, LabSession) and session.worker.alive
    house.room = "explore"
    house.close()
    assert not session.worker.alive
