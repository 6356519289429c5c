"""Where long work waits while no page shows it: a reload of the page finds it by its token.

The token stands in the link. What nobody has come back to for an hour, or what was pushed out by
newer work, is closed; a run that is kept in a folder goes on from there afterwards.
"""

import atexit
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

_PATIENCE = 3600.0  # seconds
_MOST = 8
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Closes(Protocol):
    """What can be moored."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closes)


class Harbour(Generic[C]):
    """Things by token, each with the number of pages that show it.

    >>> harbour = Harbour()
    >>> class Ship:
    ...     def close(self): print("closed")
    >>> token, ship = harbour.enter("", Ship)
    >>> harbour.leave(token)
    >>> harbour.enter(token, Ship)[1] is ship
    True
    >>> harbour.close()
    closed
    """

    def __init__(self, patience: float = _PATIENCE, most: int = _MOST):
        self._lock = threading.Lock()
        self._held: dict[str, C] = {}
        self._pages: dict[str, int] = {}
        self._left: dict[str, float] = {}
        self._patience, self._most = patience, most

    def enter(self, token: str, make: Callable[[], C]) -> tuple[str, C]:
        """What waits under a token, or a new thing under a new one."""
        with self._lock:
            stale = self._stale()
            if token not in self._held:
                if not self._held:
                    atexit.register(self.close)
                token = token if _TOKEN.fullmatch(token) else secrets.token_urlsafe(6)
                self._held[token] = make()
            self._pages[token] = self._pages.get(token, 0) + 1
            held = self._held[token]
        for old in stale:
            old.close()
        return token, held

    def leave(self, token: str) -> None:
        """A page that showed it is gone; it goes on by itself."""
        with self._lock:
            if token in self._pages:
                self._pages[token] -= 1
                self._left[token] = time.monotonic()

    def _stale(self) -> list[C]:
        """Take out what nobody will come back to."""
        alone = sorted((t for t in self._held if not self._pages[t]), key=self._left.__getitem__)
        late = [t for t in alone if time.monotonic() - self._left[t] > self._patience]
        many = alone[: max(0, len(self._held) - self._most)]
        out = []
        for token in dict.fromkeys((*late, *many)):
            out.append(self._held.pop(token))
            del self._pages[token], self._left[token]
        return out

    def close(self) -> None:
        """Close everything, whoever looks."""
        with self._lock:
            held = list(self._held.values())
            self._held, self._pages, self._left = {}, {}, {}
        for each in held:
            each.close()
        atexit.unregister(self.close)
