"""Small ipywidgets pieces that all rooms share."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w
import param

from workbench.estimators import ALL
from workbench.views import table
from workbench.views.controls import Adjustable
from workbench.views.ground import CODE_CSS, own
from workbench.views.parts import TEXT_CSS
from workbench.views.roster import heading, setting_doc, settings_of

_NARROW = """
.wb-face .wb-aside { width: 306px; min-width: 306px; margin-right: 12px; }
.wb-face .wb-aside .jupyter-widgets { max-width: calc(100% - 4px); }
.wb-face .wb-table { font-size: 12px; }
.wb-face .wb-table :is(th, td) { padding-right: 4px; }
.wb-face .wb-table .s { padding-left: 6px; }
.wb-face .wb-table td.s { min-width: 78px; }
.wb-face .wb-table .v { min-width: 0; }
.wb-face .wb-table .dot { margin-right: 5px; }
"""
_CUT_OFF = """
.wb-face .jupyter-widgets-disconnected::before { content: none; }
.wb-face.jupyter-widgets-disconnected > * { opacity: .5; pointer-events: none; }
.wb-face.jupyter-widgets-disconnected::before { display: block; padding: 0 0 8px 0;
  font: 500 14px system-ui, sans-serif; color: var(--wb-bad, #b3261e);
  content: "The kernel that moved this screen is gone: run the cell again."; }
"""
STYLE = f"""<style>{table.TABLE_CSS}
{TEXT_CSS.replace(":host", ".wb-face .widget-html-content")}
.wb-face {{ {own(False)} padding: 6px 8px; }}
.wb-face.wb-dark {{ {own(True)} }}
.wb-face .widget-html-content {{ color: inherit; }}
{CODE_CSS.replace("PLACE", ".wb-face")}
{_CUT_OFF}
.wb-face .widget-html-content {{ line-height: 1.4; }}
.wb-face :is(.jupyter-widgets, .lm-Widget, .widget-html-content) {{ min-width: 0; }}
.wb-face .wb-aside {{ width: 340px; min-width: 340px; margin-right: 20px; }}
@media (max-width: 1180px) {{ {_NARROW} }}
</style>"""
"""Before what is HTML; a style holds for the whole page."""

Guard = Callable[[Callable[[], Any]], None]


def wear(view: w.DOMWidget, dark: bool) -> None:
    """Let the colours of a view follow the ground."""
    view.add_class("wb-face")
    if dark:
        view.add_class("wb-dark")


def aside(parts: Sequence[Any]) -> w.VBox:
    """The column of controls to the left of a room; narrower where the page is."""
    made = w.VBox(list(parts))
    made.add_class("wb-aside")
    return made


def bound(
    session: param.Parameterized,
    kind: Any,
    name: str,
    guard: Guard,
    to_widget: Callable[[Any], Any] = lambda value: value,
    to_session: Callable[[Any], Any] = lambda value: value,
    turn: Callable[[Any], Any] | None = None,
    **more: Any,
) -> Any:
    """A control that sets a parameter of the session and follows it.

    Args:
        guard: calls what may raise a `WorkbenchError`, and shows it.
        to_widget, to_session: between the session's value and the control's.
        turn: takes the new value instead of the parameter.
    """
    parameter = session.param[name]
    told = {} if kind is w.SelectMultiple else {"description": parameter.label}
    control = kind(
        value=to_widget(getattr(session, name)), tooltip=parameter.doc, **{**told, **more}
    )
    if hasattr(control.style, "description_width"):
        control.style.description_width = "108px" if told else "0px"
    control.layout.width = "310px"
    control.add_class(f"wb-{name}")

    def set_session(change: Any) -> None:
        value = to_session(change["new"])
        if value != getattr(session, name):
            guard(lambda: turn(value) if turn else session.param.update(**{name: value}))

    def follow(event: Any) -> None:
        value = to_widget(event.new)
        if control.value != value:
            control.value = value

    control.observe(set_session, "value")
    session.param.watch(follow, name)
    return control


def listed(parameter: Any) -> list[Any]:
    """The options of a selector, by their titles where they have some."""
    return list(parameter.names.items()) if parameter.names else list(parameter.objects)


def button(name: str, action: Callable[[], Any], guard: Guard, style: str = "") -> w.Button:
    """A button whose action is done through `guard`."""
    made = w.Button(description=name, button_style=style, layout=w.Layout(width="auto"))
    made.on_click(lambda _: guard(action))
    return made


def half() -> w.Layout:
    """One of two columns that stand above each other where there is no room."""
    return w.Layout(flex="1 1 460px", min_width="0")


def settings_panel(
    session: Adjustable,
    guard: Guard,
    classes: Sequence[type[Any]] = ALL,
    title: str = "Settings of the estimators",
) -> w.Accordion:
    """Every setting of these classes, from their dataclass fields, folded away."""
    boxes, titles = [], []
    for cls in classes:
        known = settings_of(cls)
        if known:
            parts = [_setting(session, guard, cls, k, v) for k, v in known.items()]
            boxes.append(w.VBox(parts))
            titles.append(heading(cls))
    each = w.Accordion(boxes, titles=titles, selected_index=None)
    return w.Accordion(
        [each], titles=[title], selected_index=None,
        layout=w.Layout(margin="8px 0 0 0"),
    )  # fmt: skip


def _setting(session: Adjustable, guard: Guard, cls: type[Any], key: str, usual: Any) -> Any:
    value = session.settings.get(cls.name, {}).get(key, usual)
    return field_control(
        key, value, setting_doc(cls, key), getattr(cls, "choices", {}).get(key),
        lambda new: guard(lambda: session.setting(cls.name, key, new)),
    )  # fmt: skip


def field_control(
    name: str, value: Any, doc: str, choices: Any, change: Callable[[Any], None]
) -> Any:
    """A control for one field of a dataclass, by the type of its value.

    Args:
        name: of the field, or what it is called.
    """
    common = {
        "value": value, "description": name.replace("_", " "), "tooltip": doc,
        "style": {"description_width": "130px"}, "layout": w.Layout(width="290px"),
    }  # fmt: skip
    if choices is not None:
        control = w.Dropdown(options=list(choices), **common)
    else:
        kinds = {bool: w.Checkbox, int: w.IntText, float: w.FloatText}
        control = kinds.get(type(value), w.Text)(**common)
    control.observe(lambda event: change(event["new"]), "value")
    return control
