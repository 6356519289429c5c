"""What both faces of a room do alike: the acts behind their buttons, whatever draws these."""

from collections.abc import Callable
from typing import Any

from workbench.views import toolbar_words as words
from workbench.views.following import Guarded
from workbench.views.stepping import FILES, Stepping, place_of


class ToolbarActs:
    """Of a toolbar with `buttons` by name, a field `name` and a line `standing`."""

    stepping: Stepping
    buttons: dict[str, Any]
    name: Any
    standing: Any
    _follow: Callable[[], None]
    _stale: Callable[[], bool]

    def _doing(self, method: str) -> Callable[[], None]:
        def act() -> None:
            getattr(self.stepping, method)()
            self._follow()

        return act

    def _files(self, action: Callable[[Any], None]) -> None:
        action(place_of(self.name.value))
        self._follow()

    def paint(self) -> None:
        """Buttons and line as the run stands."""
        for name, on in words.enabled(self.stepping).items():
            self.buttons[name].disabled = not on
        files = self.stepping.worker.results.get(FILES, {})
        self.standing.value = words.standing(self.stepping, files, self._stale())


class SteppedActs(Guarded):
    """Of a room on a `SteppedSession`."""

    session: Any
    follow: Callable[[], None]

    def tend(self) -> None:
        """A run of the present controls, as long as nothing was done in that which is there."""
        self.session.keep_up()

    def _chosen(self) -> None:
        """The controls have moved: what is being made for them is followed."""
        if self.session.stepping.running:
            self.follow()


class AdversaryActs(SteppedActs):
    """Of the room Adversary."""

    def tend(self) -> None:
        """The controls where a run was opened that they do not show; a check where one is due."""
        self.session.adopt()
        super().tend()
        self.session.tend()

    def start(self) -> None:
        """Let the search run, and follow it."""
        self.guard(self.session.play)
        self.follow()

    def unasked(self) -> None:
        self.start()

    def _check(self) -> None:
        self.session.check()
        self.follow()

    def _doing(self, action: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            action()
            self.follow()

        return act

    def _chosen(self) -> None:
        """Other settings: what cannot run says so at once."""
        super()._chosen()
        self.guard(lambda: self.session.adversary.check(self.session.problem))


class TrainActs(SteppedActs):
    """Of the room Train."""

    def _pin(self, action: Any) -> None:
        action()
        if self.session.found and not self.session.stepping.running:
            self.session.stepping.pause()  # looks at the run again, now beside the pin
            self.follow()

    def begin(self) -> None:
        """Show the model before its first step, or the run that is under way."""
        if not self.session.found:
            self.session.stepping.reset()
        self.follow()

    def unasked(self) -> None:
        self.begin()


class CoherenceActs(Guarded):
    """Of the room Coherence."""

    session: Any
    follow: Callable[[], None]

    def start(self) -> None:
        """Measure the present choice, and follow it."""
        self.session.start()
        self.follow()

    def unasked(self) -> None:
        self.guard(self.start)

    def start_all(self) -> None:
        """The heat flow on the whole catalogue, and follow it."""
        self.session.start_all()
        self.follow()


class TokensActs(Guarded):
    """Of the room Tokens."""

    session: Any
    follow: Callable[[], None]
    picture: Callable[[], None]

    def start(self) -> None:
        """Run all estimators, and follow them."""
        self.session.start()
        self.follow()

    def unasked(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The budget has come to rest: run all anew."""
        self.guard(self.start)

    def _tilted(self) -> None:
        self.guard(self.picture)

    def _chosen(self) -> None:
        self.guard(self.picture)
        self.restart()
