"""What stands between a session and the panel "Inside the network": its knobs and its job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.estimators import Conditioned
from workbench.views import inside
from workbench.views.state import Session

JOB = "inside"


@dataclass(frozen=True)
class Knob:
    """A setting of `Conditioned` and the values that its slider stops at."""

    name: str
    values: tuple[float, ...]

    def place(self, session: Session) -> float:
        """The stop nearest to the session's value."""
        usual = getattr(Conditioned(), self.name)
        now = session.settings.get(Conditioned.name, {}).get(self.name, usual)
        return min(self.values, key=lambda v: abs(v - now))

    def told(self, value: float) -> str:
        """The value as its slider shows it."""
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"


KNOBS = {
    k.name: k
    for k in (
        Knob("lines", (48, 96, 192, 384, 768, 1536, 3072, 6144)),
        Knob("tolerance", (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)),
        Knob("summits", (1, 2, 3, 4, 6, 8, 12)),
    )
}
"""Those that turn conditioned propagation from a few lines into integration."""


class Watched:
    """The job that looks inside, for one face of a session."""

    def __init__(self, session: Session):
        self.session = session
        self._seen: Mapping[str, Any] = {}

    @property
    def _key(self) -> str:
        mine = self.session.settings.get(Conditioned.name, {})
        return json.dumps(mine, sort_keys=True, default=str)

    @property
    def _found(self) -> Mapping[str, Any]:
        return self.session.worker.results.get(JOB, {})

    @property
    def current(self) -> bool:
        """Whether the job is about the present screen."""
        found = self._found
        return found.get("position") == self.session.ticket(JOB) and found.get("key") == self._key

    @property
    def state(self) -> str:
        """A sentence for what is not finished, "" where all is shown."""
        if not self.current:
            return "Out of date: the sliders have moved; this follows once they rest."
        found = self._found
        if found["state"] == "error":
            return found.get("message", "")
        return "Looking inside …" if found["state"] == "running" else ""

    def start(self) -> bool:
        """Give the worker the job, unless it has it; whether it was given.

        Raises:
            WorkbenchError: where there is no problem at the present sliders.
        """
        if self.current:
            return False
        session = self.session
        mine = dict(session.settings.get(Conditioned.name, {}))
        blocks = inside.looking(session.problem, mine, session.seed)
        session.worker.start(JOB, blocks, position=session.ticket(JOB), key=self._key)
        return True

    def news(self) -> dict[str, Any]:
        """What the job published since the last call."""
        found = self._found if self.current else {}
        fresh = {k: v for k, v in found.items() if self._seen.get(k) is not v}
        self._seen = found or self._seen
        return fresh
