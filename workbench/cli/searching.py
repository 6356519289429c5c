"""How commands step a search for D to its end, or to Ctrl-C."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from workbench.cli.frame import INTERRUPTED, warn
from workbench.cli.progress import Bar

if TYPE_CHECKING:
    from workbench.adversaries import Attack


def searched(
    subject: Any, walk: Iterator[float], label: str, told: Callable[[], str]
) -> "tuple[Attack, bool]":
    """What was found, not yet checked, and whether Ctrl-C ended the search.

    Args:
        subject: the search under way.
        walk: its steps.
        label: of the bar, until the first of them is done.
        told: the bar's label from then on.

    Raises:
        Exit: with 130, where it was stopped before its first step was done.
    """
    from workbench.device import on

    interrupted = False
    with Bar(label) as bar:
        try:
            for share in walk:
                bar.update(share, told())
        except KeyboardInterrupt:
            interrupted = True
    if interrupted and not len(subject.state.path):
        warn("stopped before the first step was done: there is no D yet.")
        raise typer.Exit(INTERRUPTED)
    with on(subject.problem):
        found = subject.iteration.report(subject.problem, subject.state, subject.seconds)
    return found, interrupted


def ended(interrupted: bool) -> None:
    """Ends a command that was stopped early with 130, after it has shown what there is."""
    if interrupted:
        warn("stopped early; this is the best D so far.")
        raise typer.Exit(INTERRUPTED)
