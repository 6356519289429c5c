"""Screens: `explore` in Panel, `explore_widgets` in ipywidgets, `app` to serve.

Nothing is imported until one of them is called.
"""

from typing import TYPE_CHECKING, Any

from workbench.problem import Problem

if TYPE_CHECKING:
    from workbench.views.screen import Explore
    from workbench.views.widgets import ExploreWidgets

__all__ = ["explore", "explore_widgets"]


def explore(problem: str | Problem | None = None, **state: Any) -> "Explore":
    """The Explore screen for a notebook cell, in Panel; see `workbench.views.screen`."""
    from workbench.views.screen import explore as make

    return make(problem, **state)


def explore_widgets(problem: str | Problem | None = None, **state: Any) -> "ExploreWidgets":
    """The Explore screen for a notebook cell, in ipywidgets."""
    from workbench.views.state import Session
    from workbench.views.widgets import ExploreWidgets

    return ExploreWidgets(Session(problem, **state))
