"""How a room paints what the worker publishes, and keeps what went wrong on the screen."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from workbench.errors import WorkbenchError
from workbench.html import prose

_POLL = 0.2  # seconds between looks at the worker
_LOOK = 0.02  # likewise, where nobody looks on


class Guarded:
    """For a view with a `status` line, `paint()`, and `wear()`, which adds a CSS class to it."""

    session: Any
    dark: bool
    status: Any
    paint: Callable[[], None]
    wear: Callable[[str], None]
    _repr_mimebundle_: Callable[[], Any]

    def say(self, message: str) -> None:
        """Show a lasting message; nothing where it is empty."""
        self.status.value = f"<span class='bad'>{prose(message)}</span>" if message else ""

    def tend(self) -> None:
        """What is due whenever the view looks at the worker; a job that it begins is followed."""

    def offer_buttons(self) -> None:
        """Let those buttons be pressed that have something to do."""
        for name, on in self.session.enabled().items():
            getattr(self, name).disabled = not on

    def acted(self) -> None:
        """What is painted after an action of the reader."""
        self.paint()

    def unasked(self) -> None:
        """Begin what the served app begins by itself; a notebook's screens wait to be asked."""

    def finish(self, patience: float = 120.0) -> Self:
        """Wait for what was begun, and paint it: for a cell that is run without a reader.

        Where nothing was begun, what the served app begins by itself is.

        Args:
            patience: seconds after which what is there is painted.
        """
        if not self.session.worker.results:
            self.unasked()
        until = time.monotonic() + patience
        while self.session.worker.busy and time.monotonic() < until:
            time.sleep(_LOOK)
            self.tend()
        self.paint()
        return self

    def _ipython_display_(self) -> None:
        """The live screen, and what is seen of it where no kernel runs."""
        from IPython.display import display

        from workbench.views import still

        name = still.mark()
        self.wear(name)
        live = self._repr_mimebundle_()
        data, about = live if isinstance(live, tuple) else (live, {})
        if data:  # none of Panel's where its extension was not loaded
            # A page of the notebook shows the picture, and not the text that stands for a widget.
            data = {"text/html": "", **{k: v for k, v in data.items() if k != "text/plain"}}
            display(data, metadata=about, raw=True)
        picture = still.still(self, self.dark, name)
        told = f"<{type(self).__name__}, seen in notebooks>"
        display({"text/html": picture, "text/plain": told}, raw=True)

    def guard(self, action: Callable[[], Any]) -> None:
        """Do it, and keep the sentence of what went wrong on the screen."""
        try:
            action()
            self.say("")
        except WorkbenchError as error:
            self.say(str(error))
        self.acted()


class ByTicker(Guarded):
    """For a Panel view: a periodic callback that runs only while there is something to paint.

    The view has a `session` with a worker, and a `ticker`.
    """

    layout: Any
    ticker: Any
    _seen: Any = None

    def wear(self, name: str) -> None:
        self.layout.css_classes = [*self.layout.css_classes, name]

    def say(self, message: str) -> None:
        super().say(message)
        self.status.visible = bool(message)  # an empty line would part what is above and below

    def follow(self) -> None:
        """Paint what the worker publishes until it has nothing more to say."""
        if not self.ticker.running:
            self.ticker.start()

    def pull(self) -> None:
        """Paint what is new; called on a timer while there is any."""
        self.tend()
        worker = self.session.worker
        busy, results = worker.busy, worker.results
        if results is not self._seen:
            self._seen = results
            self.paint()
        if not busy and self.ticker.running:
            self.ticker.stop()


class ByTask(Guarded):
    """For an ipywidgets view: a task of the kernel's loop, likewise."""

    add_class: Callable[[str], Any]
    _seen: Any = None
    _poller: Any = None

    def wear(self, name: str) -> None:
        self.add_class(name)

    def follow(self) -> None:
        """Paint what the worker publishes until it has nothing more to say."""
        if self._poller is None or self._poller.done():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # a plain script: nothing can be painted later
                return
            self._poller = loop.create_task(self._poll())

    async def _poll(self) -> None:
        worker = self.session.worker
        while True:
            self.tend()
            busy, results = worker.busy, worker.results
            if results is not self._seen:
                self._seen = results
                self.paint()
            if not busy:
                return
            await asyncio.sleep(_POLL)
