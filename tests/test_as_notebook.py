"""A room as a notebook: its cells run, show the same state, and make the same numbers."""

import ast

import nbformat
import pytest
import torch
from card_samples import PROBLEMS

import workbench as wb
from workbench.views.as_notebook import as_notebook
from workbench.views.rooms import TRAININGS, House
from workbench.views.stepping import JOB


@pytest.fixture
def house():
    made = House()
    made.open()
    yield made
    made.close()
    TRAININGS.close()


def cells(house):
    """The code of the open room's notebook."""
    notebook = nbformat.reads(house.notebook().getvalue().decode(), nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def run(code, into):
    """What a kernel would do with a cell; the value of its last line."""
    tree = ast.parse(code)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), into)  # noqa: S102
    return None if last is None else eval(compile(last, "cell", "eval"), into)  # noqa: S307


def test_explore_makes_the_rows_that_are_shown(house):
    session = house._room("explore").session()
    session.choose("A_d10_1e-6")
    session.param.update(sigma=1.25, shift=0.1, lean=0.5, seed=3, budget=20_000)
    session.setting("moments", "order", 6)
    *numbers, screen = cells(house)
    made = {}
    for text in numbers:
        run(text, made)
    shown = {row.title: row.log10_p for row in session.rows() if row.log10_p is not None}
    assert shown and made["estimates"].keys() == shown.keys()
    for title, value in shown.items():
        assert made["estimates"][title].log10_p == pytest.approx(value, rel=1e-12)
    assert "order=6" in numbers[1]
    for word in ("'A_d10_1e-6'", "sigma=1.25", "lean=0.5", "seed=3", "budget=20000"):
        assert word in screen


@pytest.mark.parametrize("room", House.param.room.objects)
def test_every_screen_comes_back_as_it_was(house, room):
    house.room = room
    session = house._room(room).session()
    if "seed" in session.in_url:
        session.seed = 5
    view = run(cells(house)[-1], {})
    try:
        for name in session.in_url:
            assert getattr(view.session, name) == getattr(session, name), name
        assert view.session.source() == session.source()
    finally:
        view.session.close()


def test_adversary_is_the_search_that_the_controls_have(house):
    house.room = "adversary"
    session = house._room("adversary").session()
    session.param.update(family="low_rank", limit=2.0, seed=4)
    text = cells(house)[0]
    made = {}
    run("\n".join(text.split("\n")[:3]), made)
    assert made["search"] == session.adversary
    session.param.update(family="shifted", by="moments", limit=4.0)
    attack = run(cells(house)[0], made)
    session.stepping.reset()
    session.stepping.play()
    session.worker.wait(JOB)
    assert torch.equal(attack.found.theta, session.attack.found.theta)


def test_what_no_cell_could_load_is_refused(house):
    house.bring(PROBLEMS["bare"])
    session = house._room("explore").session()
    session.choose("bare")
    with pytest.raises(wb.BadInput, match="no cell could load it"):
        as_notebook("explore", session)
    assert not cells(house) and "no cell could load it" in house.notebook().getvalue().decode()


def test_coherence_measures_the_same_defects(house):
    house.room = "coherence"
    session = house._room("coherence").session()
    session.param.update(problem_name="A_d10_1e-3", key="moments", probes=3)
    made = run(cells(house)[0], {})
    session.start()
    session.worker.wait("defects")
    shown = {d.name: d.reason or d.digits for d in session.defects()}
    assert shown == pytest.approx(made, nan_ok=True)


def test_a_training_that_is_written_down_is_the_one_on_the_screen(house):
    house.room = "train"
    session = house._room("train").session()
    session.param.update(
        problem_name="plane", settings={"steps": 2, "referee": 100, "nats": 0.0}, seed=2
    )
    last = run(cells(house)[0], {})
    session.stepping.reset()
    session.stepping.play()  # before the reset is answered: both are done, in this order
    session.worker.wait(JOB)
    there = {k: v for k, v in session.rows[-1].items() if k != "seconds"}
    assert there == {k: v for k, v in last.items() if k != "seconds"} and there["steps"] == 2


def test_a_laboratory_is_opened_by_its_name(house):
    house.room = "laboratory"
    session = house._room("laboratory").session()
    session.density = 0.2
    assert "laboratory('gliders', density=0.2" in cells(house)[-1]
