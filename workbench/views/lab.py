"""What a laboratory is: a session, its controls and buttons, and what is drawn of it.

Both faces, Panel's and that of ipywidgets, are made from this description, so that a new laboratory
is one file that makes a `Laboratory`, and one line in `views.laboratories`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import param

from workbench.views.room_session import RoomSession
from workbench.views.style import Figure
from workbench.views.worker import RUNNING, Worker


class LabSession(RoomSession):
    """The whole state of one laboratory. No interface in here.

    A subclass has its controls as parameters, and a method for each of its buttons, which starts
    jobs in `worker`; what it draws it reads from `worker.results`. `close()` ends the worker.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    """The parameters that the link keeps."""
    lab: str = ""
    """The name of the laboratory."""

    def __init__(self, **params: Any):
        self.worker = Worker()
        super().__init__(**params)

    def begin(self) -> None:
        """What is started when the laboratory is first entered; nothing by itself."""

    def settled(self) -> None:
        """Called when a control has come to rest; nothing by itself."""

    def leave(self) -> None:
        """Called when the reader goes elsewhere; nothing by itself, and jobs go on."""

    def take(self, values: dict[str, Any]) -> str:
        """Take over what is sound of these values; a sentence about the rest, or ""."""
        texts = {
            k: str(v) if isinstance(self.param[k], param.String) else v for k, v in values.items()
        }  # a link reads 110 as a number
        return super().take(texts)

    def source(self) -> str:
        return self.lab

    def found(self, job: str) -> Mapping[str, Any]:
        """What a job published last; empty before it was started."""
        return self.worker.results.get(job, {})

    def running(self, job: str) -> bool:
        """Whether a job has blocks left and is not paused."""
        return self.found(job).get("state") == RUNNING

    def stop(self) -> None:
        """Drop what is running."""
        running = [name for name in self.worker.results if self.running(name)]
        if running:
            self.worker.drop(*running)


class Parsed(param.String):
    """A text that must be readable.

    Args:
        default: the first value.
        parse: raises `BadInput`, whose sentence the screen shows, where it is not.
    """

    __slots__ = ("parse",)

    def __init__(self, default: str = "", *, parse: Callable[[str], Any], **more: Any):
        self.parse = parse
        super().__init__(default=default, **more)

    def _validate_value(self, value: Any, allow_None: bool) -> None:
        super()._validate_value(value, allow_None)
        self.parse(value)


@dataclass(frozen=True)
class Slider:
    """A number that is slid or typed.

    Args:
        name: of the parameter.
        low, high: ends of the slider; the number may go as far as the parameter allows.
        log: whether the slider is logarithmic.
        unit: said behind the label.
    """

    name: str
    low: float
    high: float
    log: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Action:
    """A button.

    Args:
        label: on it.
        method: of the session.
        doc: what it does, under the pointer.
        main: whether it is the one to press first.
        enabled: whether it has something to do; always by itself.
    """

    label: str
    method: str
    doc: str
    main: bool = False
    enabled: Callable[[Any], bool] = lambda session: True


@dataclass(frozen=True)
class Words:
    """A block of HTML.

    Args:
        title: above it.
        draw: `draw(session, dark)` gives the HTML; what is not ours in it is escaped there.
        mark: the CSS class `wb-lab-<mark>` of the block.
        basis: pixels below which the block takes a row of its own.
    """

    title: str
    draw: Callable[[Any, bool], str]
    mark: str
    basis: int = 520


@dataclass(frozen=True)
class Chart:
    """A figure, and under it a sentence.

    Args:
        title: above it.
        draw: `draw(session, dark, height)` gives a plotly figure as a dict.
        mark: the CSS class `wb-lab-<mark>` of the sentence.
        say: `say(session)` gives the computed sentence (HTML).
        height: pixels.
        basis: pixels below which the block takes a row of its own.
        share: of the window's height, which the chart takes where that is more.
    """

    title: str
    draw: Callable[[Any, bool, int], Figure]
    mark: str
    say: Callable[[Any], str] = lambda session: ""
    height: int = 300
    basis: int = 520
    share: float = 0.0


@dataclass(frozen=True)
class Laboratory:
    """One tab of the room Laboratory.

    Args:
        name: in the link and in notebooks.
        title: on the tab.
        about: the sentence that explains what is seen.
        session: makes its session; takes parameters.
        controls: names of parameters, or `Slider`; the kind of the parameter tells what it is.
        actions: its buttons, in order.
        blocks: what is drawn, in order.
    """

    name: str
    title: str
    about: str
    session: type[LabSession]
    controls: tuple[str | Slider, ...]
    actions: tuple[Action, ...]
    blocks: tuple[Words | Chart, ...]

    @property
    def in_url(self) -> dict[str, str]:
        """{parameter: its name in the link}; laboratories share the link with all rooms."""
        return {p: f"{self.name}_{p}" for p in self.session.kept}

    def open(self, **state: Any) -> LabSession:
        """A session of it, with these first values of its parameters."""
        made = self.session(**state)
        made.lab, made.in_url = self.name, self.in_url
        return made
