"""The rooms of the app: one shown at a time, each made when it is first entered."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import panel as pn
import param

from workbench.errors import BadInput
from workbench.problem import Problem
from workbench.views.adversary_screen import AdversaryScreen
from workbench.views.adversary_session import AdversarySession
from workbench.views.as_notebook import as_notebook, refusal
from workbench.views.coherence_screen import Coherence
from workbench.views.coherence_session import CoherenceSession
from workbench.views.compare_screen import Compare
from workbench.views.compare_session import CompareSession
from workbench.views.harbour import Harbour
from workbench.views.laboratories import Tabs
from workbench.views.laboratory_screen import LaboratoryScreen
from workbench.views.room_session import RoomSession
from workbench.views.screen import Explore
from workbench.views.state import Session
from workbench.views.tokens_screen import TokensScreen
from workbench.views.tokens_session import TokensSession
from workbench.views.train_screen import Train
from workbench.views.train_session import TrainSession

TRAININGS: Harbour[TrainSession] = Harbour()
"""Trainings go on while their page is gone."""


@dataclass(frozen=True)
class Room:
    """A room as the house sees it: what it shows, and what to do when one comes and goes."""

    layout: pn.viewable.Viewable
    enter: Callable[[], None]
    leave: Callable[[], None]
    session: Callable[[], RoomSession]
    """The one that is shown."""
    choose: Callable[[str], object] | None = None
    """Makes another problem the one that it is about, where rooms share it."""

    @property
    def problem(self) -> str | None:
        """The name of the problem that it is about, where it is one of those that rooms share."""
        return None if self.choose is None else self._any.problem_name

    @property
    def _any(self) -> Any:
        return self.session()

    def show(self, name: str) -> None:
        """Be about this problem too, if it is listed: a visitor takes it from room to room."""
        if self.choose is None or self.problem == name:
            return
        if name in self._any.param.problem_name.objects:
            self.choose(name)


class House(param.Parameterized):
    """One visitor's rooms. `close()` ends all their work.

    Args:
        dark: whether the ground is dark.
    """

    room = param.Selector(
        objects={
            "Explore": "explore",
            "Compare": "compare",
            "Coherence": "coherence",
            "Adversary": "adversary",
            "Train": "train",
            "Tokens": "tokens",
            "Laboratory": "laboratory",
        },
        default="explore",
    )

    token = param.String("", doc="Of the training that a reload of the page comes back to.")

    def __init__(self, dark: bool = False, **params: Any):
        self.dark = dark
        self.made: dict[str, Room] = {}
        self._sessions: list[RoomSession] = []
        self._explore: Session | None = None
        self._brought: list[Problem] = []
        self._ends: list[Callable[[], None]] = []
        super().__init__(**params)
        self.place = pn.Column(sizing_mode="stretch_width", margin=0)
        self._makers: dict[str, Callable[[], Room]] = {
            "explore": self._make_explore, "compare": self._make_compare,
            "coherence": self._make_coherence, "adversary": self._make_adversary,
            "train": self._make_train, "tokens": self._make_tokens,
            "laboratory": self._make_laboratory,
        }  # fmt: skip

    def begin(self) -> None:
        """The page is there: what its room does by itself may start."""
        self._room(self.room).enter()

    def open(self) -> None:
        """Show the room that the link names; call it once the link is kept equal to `room`.

        In this order the link names a new room before that one is made, which reads the link.
        """
        self._room(self.room).layout.visible = True
        self.param.watch(lambda event: self._move(event.old, event.new), ["room"])

    def _room(self, name: str) -> Room:
        if name not in self.made:
            self.made[name] = self._makers[name]()
            self.place.append(self.made[name].layout)
        return self.made[name]

    def _move(self, old: str, new: str) -> None:
        shown = None
        if old in self.made:
            self.made[old].leave()
            self.made[old].layout.visible = False
            shown = self.made[old].problem
        room = self._room(new)
        if shown is not None:
            room.show(shown)
        room.layout.visible = True
        room.enter()

    def notebook(self) -> io.BytesIO:
        """The open room as a notebook that shows the same, or that says why it cannot."""
        try:
            return as_notebook(self.room, self._room(self.room).session())
        except BadInput as error:
            return refusal(f"There is no notebook of this screen: {error}.")

    def bring(self, problem: Problem) -> None:
        """List a visitor's problem in all rooms."""
        self._brought.append(problem)
        for session in self._sessions:
            session.bring(problem)

    def _sync(self, session: RoomSession) -> str:
        """Keep a session and the link equal; a sentence about what the link had in vain."""
        refused = _link(session)
        self._sessions.append(session)
        for problem in self._brought:
            session.bring(problem)
        return refused

    def _alike(self, session: Any, screen: Callable[..., Any]) -> Room:
        """A room that follows the problem of others, and begins once by itself."""
        refused = self._sync(session)
        view = screen(session, dark=self.dark)
        view.say(refused)
        begin = _once(view.unasked)
        return Room(view.layout, begin, lambda: None, lambda: session, view.choose)

    def _make_explore(self) -> Room:
        session = self._explore = Session()
        refused = self._sync(session)
        view = Explore(session, dark=self.dark, bring=self.bring)
        view.say(refused)
        counting = True

        def enter() -> None:
            if counting:
                view.play()

        def leave() -> None:
            nonlocal counting
            counting = session.running
            session.pause()

        return Room(view.layout, enter, leave, lambda: session, view.choose)

    def _make_compare(self) -> Room:
        session = CompareSession()
        refused = self._sync(session)
        view = Compare(session, dark=self.dark, open_cell=self._open_cell)
        view.say(refused)
        return Room(view.layout, _once(view.unasked), lambda: None, lambda: session)

    def _make_coherence(self) -> Room:
        return self._alike(CoherenceSession(), Coherence)

    def _make_adversary(self) -> Room:
        return self._alike(AdversarySession(), AdversaryScreen)

    def _make_train(self) -> Room:
        location = pn.state.location
        asked = "" if location is None else str(location.query_params.get("session", ""))
        token, session = TRAININGS.enter(asked, TrainSession)
        refused = self._sync(session)
        self._sessions.remove(session)
        view = Train(session, dark=self.dark)
        view.say(refused)

        def enter() -> None:
            if location is not None and not self.token:  # a link shows what changes once it is open
                location.sync(self, {"token": "session"}, on_error=lambda values: None)
                self.token = token
            view.begin()

        def end() -> None:
            if location is not None:
                location.unsync(session)
            view.end()
            TRAININGS.leave(token)

        self._ends.append(end)
        return Room(view.layout, enter, lambda: None, lambda: session)

    def _make_tokens(self) -> Room:
        return self._alike(TokensSession(), TokensScreen)

    def _make_laboratory(self) -> Room:
        tabs = Tabs()
        refused = _link(tabs)
        view = LaboratoryScreen(tabs, dark=self.dark, sync=self._sync)
        view.say(refused)
        return Room(
            view.layout, view.enter, view.leave, lambda: view.made[tabs.tab].session
        )  # fmt: skip

    def _open_cell(self, name: str, row: str, comparison: CompareSession) -> None:
        """A cell of Compare, in Explore."""
        self.room = "explore"
        assert self._explore is not None
        self._explore.open(comparison.problem(name), row, comparison.budget, comparison.settings)

    def close(self) -> None:
        """End the work of all rooms, but for a training: it waits for the page to come back."""
        for session in self._sessions:
            session.close()
        for end in self._ends:
            end()


def _link(session: RoomSession | Tabs) -> str:
    refused: list[str] = []
    if pn.state.location is not None:
        pn.state.location.sync(
            session, dict(session.in_url),
            on_error=lambda values: refused.append(session.take(values)),
        )  # fmt: skip
    return " ".join(refused)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    """The action, until it has been done."""
    done = False

    def act() -> None:
        nonlocal done
        if not done:
            action()
        done = True

    return act
