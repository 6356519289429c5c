"""The problems that a screen knows by name: the catalogue's, and those that a visitor brought."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from workbench import catalogue
from workbench.errors import BadInput
from workbench.problem import Problem
from workbench.views import Given, One


class Known:
    """Problems by name; what is brought stands before the catalogue, and instead of a namesake.

    Args:
        serves: whether a method of the room can serve a problem; of the catalogue only such are
            listed, which loads them all. What a visitor brings is listed all the same: a method
            says what it needs.
        names: of the catalogue, in place of all.

    >>> known = Known()
    >>> known.add("A_d10_1e-6")
    'A_d10_1e-6'
    >>> known.problem("A_d10_1e-6").distribution.dim
    10
    """

    def __init__(
        self, serves: Callable[[Problem], bool] | None = None, names: list[str] | None = None
    ) -> None:
        everything = catalogue.names() + catalogue.token_names() + catalogue.tiny_names()
        if serves is not None:
            everything = everything + catalogue.short_text_names() + catalogue.prompted_names()
        listed = everything if names is None else names
        self._listed = list(listed) if serves is None else list(_served(serves, tuple(listed)))
        self._own: dict[str, tuple[Problem, str]] = {}
        self._editions: dict[str, int] = {}
        self._loaded: dict[str, Problem] = {}

    def add_all(self, given: Given) -> list[str]:
        """The names to list one problem or several under, as `add`."""
        several = list(given) if isinstance(given, list | tuple) else [given]
        if not several:
            raise BadInput("a screen needs a problem: a name, a card's path or a Problem")
        return [self.add(problem) for problem in several]

    def add(self, problem: One) -> str:
        """The name to list a problem under.

        Args:
            problem: a name of the catalogue, the path of a card, or a Problem.

        Raises:
            BadInput: for what is none of these.
        """
        if isinstance(problem, Problem):
            return self._keep(problem, "")
        if not isinstance(problem, str | Path):
            raise BadInput(
                "a screen takes a problem's name, its card's path, a Problem, or a list of them, "
                f"got {type(problem).__name__}"
            )
        if problem in self._listed:
            return str(problem)
        return self._keep(catalogue.load(problem), str(problem))

    def _keep(self, problem: Problem, source: str) -> str:
        name = problem.name
        if name not in self._own or self._own[name][0] is not problem:
            self._editions[name] = self._editions.get(name, 0) + 1
        self._own[name] = (problem, source)
        return name

    @property
    def own(self) -> list[str]:
        """The names of what was brought."""
        return list(self._own)

    @property
    def names(self) -> list[str]:
        """All names, what was brought first."""
        return [*self._own, *(name for name in self._listed if name not in self._own)]

    def problem(self, name: str) -> Problem:
        """The problem listed under a name; loaded once."""
        if name in self._own:
            return self._own[name][0]
        if name not in self._loaded:
            self._loaded[name] = catalogue.load(name)
        return self._loaded[name]

    def edition(self, name: str) -> tuple[str, int]:
        """Tells a problem from those that had its name before: what is remembered of one goes by
        it.
        """
        return name, self._editions.get(name, 0)

    def source(self, name: str) -> str:
        """What `catalogue.load` takes for it.

        Raises:
            BadInput: where it is a `Problem` that was handed over.
        """
        source = self._own.get(name, (None, name))[1]
        if not source:
            raise BadInput(
                f"{name} was brought into this session, and no cell could load it: save it with "
                "`problem.save(folder)`, and give the screen the path of its card"
            )
        return source


def bring(session: Any, problem: Problem) -> None:
    """List a problem in a room of one: in its session's `known`, and in its selector.

    Where it takes the place of a namesake that is being shown, whoever shows it is told.
    """
    session.known.add(problem)
    session.param.problem_name.objects = session.known.names
    if problem.name == session.problem_name:
        session.param.trigger("problem_name")


@cache
def _served(serves: Callable[[Problem], bool], names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names whose problem a room serves; asked once, of all."""
    return tuple(name for name in names if serves(catalogue.load(name)))


def first_problem() -> str:
    """The digits problem that screens open on."""
    names = catalogue.names()
    if "digits" in names and catalogue.load("digits").truth is not None:
        return "digits"
    return "C_digits_p8_s15" if "C_digits_p8_s15" in names else names[0]
