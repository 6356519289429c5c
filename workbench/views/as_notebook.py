"""A room's present state as a notebook that opens the same screen, and makes its numbers again."""

import io
from collections.abc import Sequence

import nbformat
from nbformat import v4

from workbench.views.room_session import RoomSession


def as_notebook(room: str, session: RoomSession) -> io.BytesIO:
    """The notebook of one room, as bytes to save.

    Args:
        room: a function of `workbench.views`: "explore", "compare", ...
        session: its state.

    Raises:
        BadInput: where it is about a problem that no cell could load.
    """
    first = session.source()
    about = ("problem_name", "problems")  # what `source` says already
    given = {k: getattr(session, k) for k in session.in_url if k not in about}
    usual = {k: session.param[k].default for k in given}
    words = [repr(first), *(f"{k}={v!r}" for k, v in given.items() if v != usual[k])]
    screen = f"from workbench.views import {room}\n\n{room}({', '.join(words)})"
    numbers = list(session.numbers())
    made = "first its numbers, made again, then the screen itself" if numbers else "the screen"
    cells = [
        v4.new_markdown_cell(
            f"# {room.capitalize()}, as it stood\n\nThe same state in a notebook: {made}."
        ),
        *(v4.new_code_cell(text) for text in numbers),
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
