"""Errors that say what came, what was needed, and what to do."""

from collections.abc import Sequence
from typing import Any


class WorkbenchError(Exception):
    """Base of every error raised on purpose; its text is one sentence for the user."""


class BadInput(WorkbenchError, ValueError):
    """What the user gave is malformed: wrong shape, NaN, unknown name, altered file."""


class Unsupported(WorkbenchError):
    """A sound request that this method cannot serve.

    Args:
        what: what came, and where it stands.
        needs: what the method needs instead.
        try_instead: names that do work here.
    """

    def __init__(self, what: str, needs: str, try_instead: Sequence[str] = ()):
        self.what, self.needs, self.try_instead = what, needs, tuple(try_instead)
        hint = f"; try instead: {', '.join(self.try_instead)}" if self.try_instead else ""
        super().__init__(f"{what}: {needs}{hint}.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again from its parts, as an error that comes out of another process is."""
        return type(self), (self.what, self.needs, self.try_instead)

    def with_alternatives(self, names: Sequence[str]) -> "Unsupported":
        """The same refusal, naming what to use instead."""
        return Unsupported(self.what, self.needs, names)


class NotConverged(WorkbenchError):
    """A numerical step ended without a finite answer; the text names the step."""


class StaleRun(WorkbenchError):
    """Saved state does not fit the code or the settings that would resume it."""
