"""A room's present state as a notebook that opens the same screen, and makes its numbers again."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nbformat
import param
from nbformat import v4

from workbench.errors import BadInput, WorkbenchError
from workbench.experiments.recipe import call, recipe
from workbench.iteration import Budget
from workbench.types import Pace
from workbench.views.adversary_session import AdversarySession
from workbench.views.compare_session import CompareSession
from workbench.views.known import Known
from workbench.views.roster import roster
from workbench.views.state import Session
from workbench.views.train_session import TrainSession

PLACE = ("sigma", "shift", "lean", "direction", "seed")


def as_notebook(room: str, session: param.Parameterized, names: Mapping[str, str]) -> io.BytesIO:
    """The notebook of one room, as bytes to save.

    Args:
        room: a function of `workbench.views`: "explore", "compare", ...
        session: its state.
        names: the parameters of it that a link keeps.

    Raises:
        BadInput: where it is about a problem that no cell could load.
    """
    first = _first(session)
    given = {k: getattr(session, k) for k in names if k not in ("problem_name", "problems")}
    usual = {k: session.param[k].default for k in given}
    words = [repr(first), *(f"{k}={v!r}" for k, v in given.items() if v != usual[k])]
    screen = f"from workbench.views import {room}\n\n{room}({', '.join(words)})"
    cells = [
        v4.new_markdown_cell(
            f"# {room.capitalize()}, as it stood\n\nThe same state in a notebook: first its "
            "numbers, made again, then the screen itself."
        ),
        *(v4.new_code_cell(text) for text in _numbers(session, first)),
        v4.new_code_cell(screen),
    ]
    return _bytes(cells)


def refusal(reason: str) -> io.BytesIO:
    """A notebook of one sentence: why there is none."""
    return _bytes([v4.new_markdown_cell(reason)])


def _bytes(cells: Sequence[nbformat.NotebookNode]) -> io.BytesIO:
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = v4.new_notebook(cells=cells, metadata=kernel)
    return io.BytesIO(nbformat.writes(made).encode())


def _first(session: Any) -> Any:
    """What the screen is about, as a cell may name it."""
    if isinstance(session, CompareSession):
        return [_source(session.known, name) for name in session.problems]
    if isinstance(session, TrainSession):
        return session.problem_name
    return _source(session.known, session.problem_name)


def _source(known: Known, name: str) -> str:
    source = known.source(name)
    if not source:
        raise BadInput(
            f"{name} was brought into this session, and no cell could load it: save its card, and "
            "open the notebook of a screen that was given the card's path"
        )
    return source


def _numbers(session: Any, first: Any) -> Iterable[str]:
    if isinstance(session, Session):
        yield _position(session, first)
        yield _estimates(session)
    elif isinstance(session, CompareSession):
        made = [roster()[key].build(session.settings) for key in session.estimators]
        budget, seeds = Budget(session.budget), range(session.seeds)
        yield from (
            recipe(source, estimator, budget, seeds) for source in first for estimator in made
        )
    elif isinstance(session, AdversarySession):
        adversary = session.adversary
        yield (
            "import workbench as wb\n\n"
            f"search = {call(adversary)}\n"
            f"attack = search(wb.load({first!r}), wb.Rng({session.seed}))\n"
            "attack"
        )


def _position(session: Session, first: str) -> str:
    """The problem under the sliders."""
    moved = {k: getattr(session, k) for k in PLACE}
    words = [
        repr(first),
        *(f"{k}={v!r}" for k, v in moved.items() if v != session.param[k].default),
    ]
    return (
        "import workbench as wb\nfrom workbench.views.position import Position\n\n"
        f"problem = Position({', '.join(words)}).problem\nproblem"
    )


def _estimates(session: Session) -> str:
    """The rows that there are, each by its own estimator, budget and seed."""
    lines = []
    for row in session.rows():
        if row.log10_p is None:
            continue
        entry = roster()[row.key]
        asked = (
            f", wb.Budget({session.budget:_}), wb.Rng({session.seed})"
            if entry.pace is Pace.ASKED
            else ""
        )
        try:
            made = call(entry.build(session.settings))
        except WorkbenchError:  # a setting that no estimator takes: its row says so
            continue
        lines.append(f"    {entry.title!r}: {made}(problem{asked}),")
    return "\n".join(["estimates = {", *lines, "}", "estimates"])
