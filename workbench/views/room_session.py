"""What the session of every room has: house, links, notebooks and buttons ask no more of it."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import param

from workbench.problem import Problem
from workbench.views.link import take
from workbench.views.worker import Worker


class RoomSession(param.parameterized.ParameterizedABC):
    """The whole state of one room. No interface in here. `close()` ends its worker."""

    in_url: Mapping[str, str] = {}
    """{parameter: its name in the link}: what makes the screen come back as it was."""
    worker: Worker

    def take(self, values: dict[str, Any]) -> str:
        """Take over what is sound of these values; a sentence about the rest, or ""."""
        return take(self, values, self.in_url)

    @abstractmethod
    def source(self) -> Any:
        """What the screen is about, as its function in `workbench.views` takes it.

        Raises:
            BadInput: where no cell of a notebook could load it.
        """

    def numbers(self) -> Iterable[str]:
        """Cells of Python that make again what the screen shows; none by itself.

        Raises:
            BadInput: as `source`.
        """
        return ()

    def enabled(self) -> Mapping[str, bool]:
        """{button, as the faces of the room call it: whether it has something to do}."""
        return {}

    def bring(self, problem: Problem) -> None:
        """List a visitor's problem, where it is one for this room; nothing by itself."""

    def close(self) -> None:
        """Stop the worker and wait for it."""
        self.worker.close()
