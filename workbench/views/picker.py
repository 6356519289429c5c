"""The list of problems to choose from, by family; rooms share it."""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench import catalogue

FAMILIES = {
    "A": "A: linear models, exact",
    "B": "B: random ReLU networks",
    "C": "C: trained on digits",
    "D": "D: planted triggers",
    "E": "E: finite or in the plane, exact",
    "F": "F: recognised, never sampled",
    "G": "G: known by an energy alone",
    "H": "H: judged by another network",
    "L": "L: text by language models",
    "T": "T: rare tokens of transformers, exact",
    "algzoo": "Tiny networks with small tasks",
}
OWN = "Your own"


def family(name: str) -> str:
    """The group that a problem stands in."""
    if name.startswith("digits"):
        return FAMILIES["C"]
    if name in catalogue.prompted_names():
        return FAMILIES["L"]
    return FAMILIES.get(name.split("_")[0], OWN)


def groups(names: list[str]) -> dict[str, list[str]]:
    """Names by family, one's own first, then the digits."""
    found: dict[str, list[str]] = {}
    rest = (title for key, title in FAMILIES.items() if key != "C")
    for group in (OWN, FAMILIES["C"], *rest):
        mine = [n for n in names if family(n) == group]
        if mine:
            found[group] = mine
    return found


def picker(session: Any, choose: Callable[[str], Any]) -> pn.widgets.Select:
    """A list that follows the session's problems and the one chosen.

    Args:
        session: with a selector `problem_name`.
        choose: told the name that a hand has picked.
    """
    made = pn.widgets.Select(
        groups=groups(list(session.param.problem_name.objects)), value=session.problem_name,
        sizing_mode="stretch_width", margin=(2, 0, 4, 0), css_classes=["wb-problem"],
    )  # fmt: skip

    def picked(event: Any) -> None:
        if event.new and event.new != session.problem_name:
            choose(event.new)

    def follow(*_: Any) -> None:
        listed = groups(list(session.param.problem_name.objects))
        made.param.update(groups=listed, value=session.problem_name)

    made.param.watch(picked, "value")
    session.param.watch(follow, "problem_name", what="objects")
    session.param.watch(follow, "problem_name")
    return made
