"""The tour of the rooms: a strip above them on a first visit, which a browser remembers."""

from collections.abc import Callable
from dataclasses import dataclass

import panel as pn

from workbench.views.parts import text

COOKIE = "workbench_tour"
REMEMBER = f"document.cookie = '{COOKIE}=done; max-age=31536000; path=/; SameSite=Lax';"
CSS = """
:host { background: rgba(0, 114, 178, .09); border-left: 4px solid #0072B2; border-radius: 4px;
        padding: 4px 14px; }
"""


@dataclass(frozen=True)
class Stop:
    """A sentence or two about a room."""

    room: str
    said: str


STOPS = (
    Stop(
        "explore",
        "<b>Explore</b> asks one question: how likely is it that the network M does what C "
        "forbids, on an input from D? Dots are estimates from the weights; the orange one is Monte "
        "Carlo, which counts draws. Drag <i>Spread of D</i> and watch them follow.",
    ),
    Stop(
        "compare",
        "<b>Compare</b> sets estimators side by side where the truth is known: how many digits "
        "each is off, what it claimed, what it cost.",
    ),
    Stop(
        "adversary",
        "<b>Adversary</b> searches near your D for the distribution on which M does worst, along "
        "the gradient of log P. Press <i>Run</i>; an independent sampler checks what it finds.",
    ),
    Stop(
        "train",
        "<b>Train</b> pushes log P down before any failure has been seen, while a referee, an "
        "independent sampler, watches for training that only fools its own estimate.",
    ),
    Stop(
        "tokens",
        "<b>Tokens</b> shows a small language model position by position: what D puts there, and "
        "what a tilt towards C puts there instead. Drag <i>Tilt</i> to see what a nat is worth.",
    ),
    Stop(
        "explore",
        "Your own: <i>Open a card</i> on the left, or <code>workbench new my_problem</code> in a "
        "terminal. Hover over an underlined word for its definition.",
    ),
)


class Tour(pn.viewable.Viewer):
    """The strip.

    Args:
        go: told the room of each stop.
        shown: whether it is there at first; `again()` brings it back.
        room: where it begins; it keeps away from a room that it has no stop in.
    """

    def __init__(self, go: Callable[[str], object], shown: bool, room: str = STOPS[0].room):
        super().__init__()
        rooms = [stop.room for stop in STOPS]
        shown = shown and room in rooms
        self._go, self.at = go, rooms.index(room) if shown else 0
        self.words = text(margin=(6, 12, 6, 0))
        self.next = pn.widgets.Button(label="Next", height=32, margin=4)
        self.skip = pn.widgets.Button(label="Skip the tour", height=32, margin=4)
        self.next.on_click(lambda _: self._step())
        self.skip.on_click(lambda _: self._end())
        self.skip.js_on_click(code=REMEMBER)
        self.next.js_on_click(code=REMEMBER)  # it has been met, if not read to its end
        self.layout = pn.Row(
            self.words, self.next, self.skip, sizing_mode="stretch_width", margin=(0, 0, 12, 0),
            visible=shown, stylesheets=[CSS], css_classes=["wb-tour"],
        )  # fmt: skip
        self._paint()

    def __panel__(self) -> pn.viewable.Viewable:
        return self.layout

    def again(self) -> None:
        """From the first stop."""
        self.at, self.layout.visible = 0, True
        self._go(STOPS[0].room)
        self._paint()

    def _step(self) -> None:
        if self.at + 1 == len(STOPS):
            self._end()
            return
        self.at += 1
        self._go(STOPS[self.at].room)
        self._paint()

    def _end(self) -> None:
        self.layout.visible = False

    def _paint(self) -> None:
        last = self.at + 1 == len(STOPS)
        self.words.value = (
            f"{STOPS[self.at].said} <span class='small'>{self.at + 1}/{len(STOPS)}</span>"
        )
        self.next.label = "Done" if last else "Next"
        self.skip.visible = not last
