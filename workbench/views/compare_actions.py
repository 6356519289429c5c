"""What the buttons in the table of a comparison do, for both faces."""

from collections.abc import Callable
from typing import Any

from workbench.errors import BadInput
from workbench.views.compare_session import CompareSession
from workbench.views.roster import roster


class Pressed:
    """A view on a `CompareSession` that can follow it, guard an action, and open a cell."""

    session: CompareSession
    guard: Callable[[Callable[[], Any]], None]
    follow: Callable[[], None]
    open_cell: Callable[[str, str], None]
    """Told (problem, row) of a cell that is pressed."""
    recipe = ""
    """The notebook cell that is shown."""

    def start(self) -> None:
        """Run what is missing, and follow it."""
        self.session.start()
        self.follow()

    def unasked(self) -> None:
        """What the served app begins by itself."""
        self.guard(self.start)

    def press(self, data: dict[str, Any]) -> None:
        """A button of the table: what it does, and the cell that it stands in."""
        name, key = str(data.get("problem", "")), str(data.get("key", ""))
        actions: dict[str, Callable[[], None]] = {
            "open": lambda: self._open(name, key),
            "cancel": lambda: self.session.cancel(name, key),
            "run": lambda: self._run(name, key),
            "recipe": lambda: setattr(self, "recipe", self.session.recipe(name, key)),
            "hide": lambda: setattr(self, "recipe", ""),
        }
        action = actions.get(str(data.get("do")))
        if action is not None:
            self.guard(action)

    def _open(self, name: str, key: str) -> None:
        if key not in roster():
            raise BadInput("Explore shows the estimators of workbench.estimators.ALL")
        self.open_cell(name, key)

    def _run(self, name: str, key: str) -> None:
        self.session.run(name, key)
        self.follow()
