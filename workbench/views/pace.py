"""What deterministic rows cost here, and so whether a slider may wait for them."""

import math

from workbench.types import Pace
from workbench.views.roster import Entry

DRAG = 0.05
"""Seconds that a row may cost and still be made anew at every move of a slider."""
FIRST = 0.4
"""The same for a row that has been made only once: the first time is slow for other reasons too."""
PATIENCE = 5.0
"""Seconds that a row may cost and still be started by itself once the sliders rest."""


class Stopwatch:
    """The seconds that rows took, by problem; the lesser of the last two counts.

    >>> from workbench.views.roster import roster
    >>> watch, moments = Stopwatch(), roster()["moments"]
    >>> for seconds in (0.01, 0.2, 0.3):
    ...     watch.note("moments", "big", seconds)
    >>> watch.live(moments, "big"), watch.by_itself(moments, "big"), watch.live(moments, "small")
    (False, True, True)
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, ...]] = {}

    def note(self, key: str, problem: str, seconds: float) -> None:
        """A row took this long."""
        self._seen[key, problem] = (*self._seen.get((key, problem), ())[-1:], seconds)

    def live(self, entry: Entry, problem: str) -> bool:
        """Whether a row follows a slider while it moves."""
        seen = self._seen.get((entry.key, problem), ())
        allowed = FIRST if len(seen) < 2 else DRAG
        return entry.pace is Pace.LIVE and min(seen, default=0.0) <= allowed

    def by_itself(self, entry: Entry, problem: str) -> bool:
        """Whether a row that follows no slider is started by itself when they rest."""
        seen = self._seen.get((entry.key, problem), (-math.inf,))
        return entry.pace is not Pace.ASKED and min(seen) <= PATIENCE
