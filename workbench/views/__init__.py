"""Screens: `explore`, `compare`, `coherence`, `adversary`, `train`, `tokens`, `laboratory` in
Panel, and `explore_widgets` and so on in ipywidgets.

`app` serves them.

Nothing is imported until one of them is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.problem import Problem

One = str | Path | Problem
"""A problem as a screen takes it: a name of the catalogue, a card's path, or a Problem."""
Given = One | list[One] | tuple[One, ...]
"""One problem, or several: the first is shown, and all are listed."""

if TYPE_CHECKING:
    from workbench.training import Duty
    from workbench.views.adversary_screen import AdversaryScreen
    from workbench.views.coherence_screen import Coherence
    from workbench.views.compare_screen import Compare
    from workbench.views.lab_screen import LabScreen
    from workbench.views.lab_widgets import LabWidgets
    from workbench.views.screen import Explore
    from workbench.views.tokens_screen import TokensScreen
    from workbench.views.train_screen import Train
    from workbench.views.widgets import ExploreWidgets
    from workbench.views.widgets_adversary import AdversaryWidgets
    from workbench.views.widgets_coherence import CoherenceWidgets
    from workbench.views.widgets_compare import CompareWidgets
    from workbench.views.widgets_tokens import TokensWidgets
    from workbench.views.widgets_train import TrainWidgets

__all__ = [
    "adversary", "adversary_widgets",
    "coherence", "coherence_widgets", "compare", "compare_widgets", "explore", "explore_widgets",
    "laboratory", "laboratory_widgets", "still_figures", "tokens", "tokens_widgets", "train",
    "train_widgets",
]  # fmt: skip


def explore(problem: Given | None = None, **state: Any) -> "Explore":
    """The Explore screen for a notebook cell, in Panel; see `workbench.views.screen`."""
    from workbench.views.screen import explore as make

    return make(problem, **state)


def explore_widgets(
    problem: Given | None = None, dark: bool = False, **state: Any
) -> "ExploreWidgets":
    """The Explore screen for a notebook cell, in ipywidgets."""
    from workbench.views.state import Session
    from workbench.views.widgets import ExploreWidgets

    return ExploreWidgets(Session(problem, **state), dark)


def compare(problems: Given | None = None, **state: Any) -> "Compare":
    """The Compare screen for a notebook cell, in Panel; see `workbench.views.compare_screen`."""
    from workbench.views.compare_screen import compare as make

    return make(problems, **state)


def compare_widgets(
    problems: Given | None = None, dark: bool = False, **state: Any
) -> "CompareWidgets":
    """The Compare screen for a notebook cell, in ipywidgets."""
    from workbench.views.compare_session import CompareSession
    from workbench.views.widgets_compare import CompareWidgets

    return CompareWidgets(CompareSession(problems, **state), dark)


def coherence(problem: Given | None = None, **state: Any) -> "Coherence":
    """The Coherence screen for a notebook cell, in Panel; see `views.coherence_screen`."""
    from workbench.views.coherence_screen import coherence as make

    return make(problem, **state)


def coherence_widgets(
    problem: Given | None = None, dark: bool = False, **state: Any
) -> "CoherenceWidgets":
    """The Coherence screen for a notebook cell, in ipywidgets."""
    from workbench.views.coherence_session import CoherenceSession
    from workbench.views.widgets_coherence import CoherenceWidgets

    return CoherenceWidgets(CoherenceSession(problem, **state), dark)


def adversary(problem: Given | None = None, **state: Any) -> "AdversaryScreen":
    """The Adversary screen for a notebook cell, in Panel; see `views.adversary_screen`."""
    from workbench.views.adversary_screen import adversary as make

    return make(problem, **state)


def adversary_widgets(
    problem: Given | None = None, dark: bool = False, **state: Any
) -> "AdversaryWidgets":
    """The Adversary screen for a notebook cell, in ipywidgets."""
    from workbench.views.adversary_session import AdversarySession
    from workbench.views.widgets_adversary import AdversaryWidgets

    return AdversaryWidgets(AdversarySession(problem, **state), dark)


def train(problem: "Given | Duty | None" = None, **state: Any) -> "Train":
    """The Train screen for a notebook cell, in Panel; see `views.train_screen`."""
    from workbench.views.train_screen import train as make

    return make(problem, **state)


def train_widgets(
    problem: "Given | Duty | None" = None, dark: bool = False, **state: Any
) -> "TrainWidgets":
    """The Train screen for a notebook cell, in ipywidgets."""
    from workbench.views.train_session import TrainSession
    from workbench.views.widgets_train import TrainWidgets

    view = TrainWidgets(TrainSession(problem, **state), dark)
    view.begin()
    return view


def tokens(problem: Given | None = None, **state: Any) -> "TokensScreen":
    """The Tokens screen for a notebook cell, in Panel; see `views.tokens_screen`."""
    from workbench.views.tokens_screen import tokens as make

    return make(problem, **state)


def tokens_widgets(
    problem: Given | None = None, dark: bool = False, **state: Any
) -> "TokensWidgets":
    """The Tokens screen for a notebook cell, in ipywidgets."""
    from workbench.views.tokens_session import TokensSession
    from workbench.views.widgets_tokens import TokensWidgets

    return TokensWidgets(TokensSession(problem, **state), dark)


def laboratory(name: str, **state: Any) -> "LabScreen":
    """A laboratory for a notebook cell, in Panel; see `views.laboratories`."""
    from workbench.views.laboratory_screen import laboratory as make

    return make(name, **state)


def laboratory_widgets(name: str, dark: bool = False, **state: Any) -> "LabWidgets":
    """A laboratory for a notebook cell, in ipywidgets."""
    from workbench.views.lab_widgets import LabWidgets
    from workbench.views.laboratories import find

    lab = find(name)
    view = LabWidgets(lab, lab.open(**state), dark)
    view.begin()
    return view


def still_figures() -> None:
    """Let figures that a notebook shows be seen where no script runs; see `views.renderer`."""
    from workbench.views.renderer import still_figures as use

    use()
