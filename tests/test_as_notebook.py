"""A room as a notebook: its cells run, show the same state, and make the same numbers."""

import ast

import nbformat
import pytest
from card_samples import PROBLEMS

import workbench as wb
from workbench.views.as_notebook import as_notebook
from workbench.views.rooms import House


@pytest.fixture
def house():
    made = House()
    made.open()
    yield made
    made.close()


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
    session, _ = house._room("explore").state
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


@pytest.mark.parametrize("room", ["explore", "compare", "coherence", "adversary", "train"])
def test_every_screen_comes_back_as_it_was(house, room):
    house.room = room
    session, names = house._room(room).state
    if "seed" in names:
        session.seed = 5
    view = run(cells(house)[-1], {})
    try:
        assert {k: getattr(view.session, k) for k in names} == {
            k: getattr(session, k) for k in names
        }
    finally:
        view.session.close()


def test_adversary_is_the_search_that_the_controls_have(house):
    house.room = "adversary"
    session, _ = house._room("adversary").state
    session.param.update(family="low_rank", limit=2.0, seed=4)
    text = cells(house)[0]
    made = {}
    run("\n".join(text.split("\n")[:3]), made)
    assert made["search"] == session.adversary
    assert "wb.Rng(4)" in text


def test_what_no_cell_could_load_is_refused(house):
    house.bring(PROBLEMS["bare"])
    session, names = house._room("explore").state
    session.choose("bare")
    with pytest.raises(wb.BadInput, match="no cell could load it"):
        as_notebook("explore", session, names)
    house.room = "laboratory"
    assert not cells(house) and "of its own" in house.notebook().getvalue().decode()
