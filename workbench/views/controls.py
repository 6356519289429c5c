"""Panel controls bound to a Session: sliders with an editable number, settings of estimators."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any, Protocol

import panel as pn
import param

from workbench.errors import WorkbenchError
from workbench.estimators import ALL
from workbench.views.roster import heading, setting_doc, settings_of, summary

LABEL_CSS = """
:host { font-size: 13px; }
.label { font-weight: 500; cursor: help; border-bottom: 1px dotted rgba(128,128,128,.6); }
.unit { opacity: .6; font-weight: 400; }
"""


def label(text: str, doc: str, unit: str = "") -> pn.widgets.StaticText:
    """A caption that explains itself on hover."""
    return pn.widgets.StaticText(
        value=f"<span class='label' title='{escape(doc, quote=True)}'>{escape(text)}</span>"
        f" <span class='unit'>{escape(unit)}</span>",
        stylesheets=[LABEL_CSS],
        sizing_mode="stretch_width",
        margin=(6, 0, 0, 0),
    )


class Adjustable(Protocol):
    """A session whose estimators have settings."""

    settings: Any

    def setting(self, estimator: str, key: str, value: Any) -> None: ...


class PromptSlider(pn.widgets.FloatSlider):
    """A slider that reports sooner: Panel gathers events for 50 ms, most of a drag's delay."""

    _debounce = 5


class Dial:
    """A slider and the number beside it, both on one parameter of the session.

    Args:
        session: whose parameter it turns.
        name: of the parameter.
        low, high: ends of the slider; the number may go as far as the parameter allows.
        log: whether the slider is logarithmic.
        settled: called when the slider or the number has come to rest.
    """

    def __init__(
        self,
        session: param.Parameterized,
        name: str,
        low: float,
        high: float,
        settled: Callable[[], None],
        log: bool = False,
        unit: str = "",
    ):
        self.session, self.name, self.log = session, name, log
        parameter = session.param[name]
        self.whole = isinstance(session.param[name].default, int)
        self.slider = PromptSlider(
            label=parameter.label,
            value=self._to_slider(getattr(session, name), low, high),
            show_value=False,
            tooltips=False,  # the number beside it says it better, and without the logarithm
            css_classes=[f"wb-slider-{name}"],
            stylesheets=[".bk-slider-title { display: none; }"],
            sizing_mode="stretch_width",
            margin=(2, 8, 8, 8),
            **self._range(low, high),
        )
        kind = pn.widgets.IntInput if self.whole else pn.widgets.FloatInput
        bounds = parameter.bounds or (None, None)
        self.number = kind(
            value=getattr(session, name),
            start=bounds[0],
            end=bounds[1],
            width=118 if self.whole else 88,
            format="0,0" if self.whole else "0[.]0000",
            css_classes=[f"wb-number-{name}"],
            margin=(0, 0, 0, 0),
            align="end",
        )
        self.slider.param.watch(self._slid, "value")
        self.slider.param.watch(lambda _: settled(), "value_throttled")
        self.number.param.watch(lambda e: self._typed(e.new, settled), "value")
        session.param.watch(self._moved, name)
        self.view = pn.Column(
            pn.Row(
                label(parameter.label or name, parameter.doc or "", unit),
                self.number,
                sizing_mode="stretch_width",
                margin=0,
            ),
            self.slider,
            sizing_mode="stretch_width",
            margin=0,
        )

    def enable(self, on: bool) -> None:
        """Whether it can be turned."""
        self.slider.disabled = self.number.disabled = not on

    def reach(self, low: float, high: float) -> None:
        """Other ends for the slider."""
        value = self._to_slider(getattr(self.session, self.name), low, high)
        self.slider.param.update(value=value, **self._range(low, high))

    def _range(self, low: float, high: float) -> dict[str, float]:
        start, end = (math.log10(low), math.log10(high)) if self.log else (low, high)
        return {"start": start, "end": end, "step": (end - start) / 200.0}

    def _to_slider(self, value: float, low: float, high: float) -> float:
        inside = min(high, max(low, value))
        return math.log10(inside) if self.log else inside

    def _from_slider(self, place: float) -> float:
        step = self.slider.step
        if abs(place) < 0.4 * step:
            place = 0.0  # the reference itself, whatever the rounding of the steps
        value = 10.0**place if self.log else place
        return int(float(f"{value:.2g}")) if self.whole else float(f"{value:.4g}")

    def _slid(self, event: Any) -> None:
        if event.new != self._place():
            self.session.param.update(**{self.name: self._from_slider(event.new)})

    def _typed(self, value: float | None, settled: Callable[[], None]) -> None:
        if value is not None and value != getattr(self.session, self.name):
            self.session.param.update(**{self.name: value})
            settled()

    def _place(self) -> float:
        value = getattr(self.session, self.name)
        place = math.log10(value) if self.log else value
        return min(self.slider.end, max(self.slider.start, place))

    def _moved(self, event: Any) -> None:
        self.number.value = event.new
        if abs(self.slider.value - self._place()) > 0.5 * self.slider.step:
            self.slider.value = self._place()


def settings_panel(
    session: Adjustable,
    settled: Callable[[], None],
    say: Callable[[str], None],
    classes: Sequence[type[Any]] = ALL,
    title: str = "Settings of the estimators",
) -> tuple[pn.widgets.Toggle, pn.Column]:
    """Every setting of these classes, from their dataclass fields, and what unfolds them."""
    body = pn.Column(visible=False, sizing_mode="stretch_width", margin=0)
    toggle = pn.widgets.Toggle(
        label=f"{title} ▸",
        height=32,
        margin=(4, 0),
        sizing_mode="stretch_width",
        css_classes=["wb-settings"],
    )

    def fill() -> Iterator[Any]:
        for cls in classes:
            known = settings_of(cls)
            if known:
                yield label(heading(cls), summary(cls))
                fields = (_setting(session, cls, key, settled, say) for key in known)
                yield pn.FlexBox(*fields, gap="0 12px", sizing_mode="stretch_width")

    def unfold(event: Any) -> None:
        if not body.objects:  # dozens of widgets, which few readers open
            body.extend(fill())
        body.visible = event.new
        toggle.label = f"{title} {'▾' if event.new else '▸'}"

    toggle.param.watch(unfold, "value")
    return toggle, body


def _setting(
    session: Adjustable, cls: Any, key: str, settled: Callable[[], None], say: Callable[[str], None]
) -> pn.widgets.Widget:
    usual = settings_of(cls)[key]
    value = session.settings.get(cls.name, {}).get(key, usual)
    choices = getattr(cls, "choices", {}).get(key)
    common: dict[str, Any] = {
        "label": key.replace("_", " "),
        "value": value,
        "width": 140,
        "margin": (0, 0, 4, 0),
        "description": setting_doc(cls, key) or None,
    }
    if choices is not None:
        widget = pn.widgets.Select(options=list(choices), **common)
    elif isinstance(usual, bool):
        common.pop("description")
        widget = pn.widgets.Checkbox(**common)
    elif isinstance(usual, int):
        widget = pn.widgets.IntInput(**common)
    elif isinstance(usual, float):
        widget = pn.widgets.FloatInput(step=0.05, **common)
    else:
        widget = pn.widgets.TextInput(**common)

    def change(event: Any) -> None:
        if event.new is None:
            return
        try:
            session.setting(cls.name, key, event.new)
            say("")
        except WorkbenchError as error:
            say(str(error))
        settled()

    widget.param.watch(change, "value")
    return widget
