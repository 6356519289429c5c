"""Every notebook entry takes a name, a card's path, a Problem or a list of them alike."""

import re
from pathlib import Path

import pytest
from card_samples import PROBLEMS

import workbench as wb
from workbench import catalogue, views
from workbench.views.adversary_session import AdversarySession
from workbench.views.coherence_session import CoherenceSession
from workbench.views.compare_session import CompareSession
from workbench.views.rooms import House
from workbench.views.state import Session
from workbench.views.tokens_session import TokensSession
from workbench.views.train_session import TrainSession

GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "screens.md"
OWN = PROBLEMS["full"]
SESSIONS = (Session, CompareSession, CoherenceSession, AdversarySession)


def shown(session):
    """What a session is about, first of all."""
    return session.problems[0] if "problems" in session.param else session.problem_name


def listed(session):
    choice = "problems" if "problems" in session.param else "problem_name"
    return list(session.param[choice].objects)


@pytest.mark.parametrize("make", SESSIONS)
def test_a_room_takes_one_problem_or_several(make, tmp_path):
    path = OWN.save(tmp_path / "mine.zip")
    for given in (OWN, path, str(path), [OWN], (path, "digits"), ["A_d10_1e-6", OWN]):
        session = make(given)
        try:
            first = given[0] if isinstance(given, list | tuple) else given
            want = first if first == "A_d10_1e-6" else "full"
            assert shown(session) == want
            assert "full" in listed(session)
            if "problems" in session.param:
                several = isinstance(given, list | tuple)
                assert len(session.problems) == (len(given) if several else 1)
        finally:
            session.close()


@pytest.mark.parametrize("make", SESSIONS)
@pytest.mark.parametrize("given, said", [(3, "list of them, got int"), ([], "needs")])
def test_what_is_no_problem_is_refused_in_a_sentence(make, given, said):
    with pytest.raises(wb.BadInput, match=said):
        make(given)


def test_tokens_takes_problems_over_tokens():
    name, other = catalogue.token_names()[:2]
    session = TokensSession([wb.load(name), other])
    try:
        assert session.problem_name == name
    finally:
        session.close()
    with pytest.raises(wb.BadInput, match="full has none"):
        TokensSession([name, OWN])


def test_train_takes_what_it_has_a_training_of():
    for given in ("digits", wb.load("digits"), ["digits", "plane"]):
        session = TrainSession(given)
        try:
            assert session.problem_name == "digits"
        finally:
            session.close()
    with pytest.raises(wb.BadInput, match=r"no training of 'full'.*`workbench.training.Duty`"):
        TrainSession(OWN)


def test_laboratories_go_by_name():
    for make in (views.laboratory, views.laboratory_widgets):
        with pytest.raises(wb.BadInput, match="no laboratory for a Problem; there are gliders"):
            make(OWN)


def test_no_module_takes_the_name_of_an_entry():
    """Or `from workbench.views import laboratory` would give the module, once it is imported."""
    folder = Path(views.__file__).parent
    assert [name for name in views.__all__ if (folder / f"{name}.py").exists()] == []


def test_the_guide_lists_every_entry():
    named = re.findall(r"`(\w+)`", " ".join(x for x in GUIDE.read_text().splitlines() if "|" in x))
    assert set(named) == set(views.__all__) - {"still_figures"}  # which is no screen


def test_a_card_that_is_opened_is_chosen_in_compare():
    """Before that room is made, and after; what was chosen there stays beside it."""
    house = House()
    try:
        house.open()
        house.bring(OWN)
        house.room = "compare"
        compare = house._sessions[-1]
        assert isinstance(compare, CompareSession)
        assert compare.problems[0] == "full" and len(compare.problems) > 1
        house.bring(PROBLEMS["bare"])
        assert compare.problems[:2] == ["bare", "full"]
        house.bring(OWN)
        assert sorted(compare.problems) == sorted(set(compare.problems))
    finally:
        house.close()
