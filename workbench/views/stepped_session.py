"""What the sessions have in common in whose rooms one run is stepped. No interface in here."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from workbench.experiments import Row, Run
from workbench.views.room_session import RoomSession
from workbench.views.stepping import Stepping
from workbench.views.worker import DONE, Worker


class SteppedSession(RoomSession):
    """One run of what the controls say. `close()` ends its worker; a folder stays.

    As long as nothing was done in it the run follows the controls, even where they move while it
    is being made; afterwards it is `stale`, and goes on until it is reset.
    """

    kinds: ClassVar[tuple[str, ...]]
    """Of runs that the room can show."""
    steers: ClassVar[tuple[str, ...]]
    """The parameters that a run is made from."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.stepping = Stepping(self.worker, self._prepare, self._look, self.kinds)
        super().__init__()
        self.param.watch(lambda *_: self.stepping.renew(), [*self.steers])

    @abstractmethod
    def _prepare(self) -> Callable[[], Run]:
        """What makes a run of the controls as they stand, in the worker's thread."""

    @abstractmethod
    def _look(self, run: Run) -> Mapping[str, Any]:
        """What the screen shows of it beyond its metrics; in the worker's thread."""

    @property
    @abstractmethod
    def stale(self) -> bool:
        """Whether what is shown began under other controls."""

    def keep_up(self) -> None:
        """Let a run in which nothing was done, and that came too late for the controls, give way
        to one of theirs. Called as the screen looks at the worker."""
        if self.found.get("state") == DONE and self.stale:
            self.stepping.renew()

    @property
    def found(self) -> Mapping[str, Any]:
        """What is published of the run; empty before the first action."""
        return self.stepping.found

    @property
    def rows(self) -> tuple[Row, ...]:
        """Metrics of the run, a row a step."""
        return self.found.get("rows", ())

    def close(self) -> None:
        """Stop the worker and wait for it; save what is kept in a folder."""
        super().close()
        self.stepping.close()
