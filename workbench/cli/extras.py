"""Whether the optional parts of the installation are there."""

import importlib.util

from workbench.errors import Unsupported

_VIEWS = ("panel", "panel_material_ui", "param", "plotly")


def need(what: str, modules: tuple[str, ...], extra: str) -> None:
    """Raises `Unsupported`, which says what to install, unless all modules are there."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise Unsupported(
            f"{what} without {', '.join(missing)}",
            f"install the {extra!r} extra: pip install 'catastrophe-workbench[{extra}]'",
        )


def need_views(what: str) -> None:
    """Raises `Unsupported` unless the `views` extra is installed."""
    need(what, _VIEWS, "views")
