"""What the toolbar of a run says: its buttons, and the line under them."""

from collections.abc import Mapping
from html import escape
from typing import Any

from workbench.html import prose
from workbench.views.stepping import Stepping

BUTTONS = (
    ("Run", "play", "Go on until it is finished or paused."),
    ("Pause", "pause", "Stop after the present step."),
    ("Step", "step", "One step, and no further."),
    (
        "Rewind",
        "rewind",
        "Back by one step; going on from there gives the same again, bit for bit.",
    ),
    ("Reset", "reset", "Start again, with the settings as they are now."),
)
"""(name, method of `Stepping`, what it does)."""
SAVE = "From now on keep the run in the folder runs/<name>, so that it survives a crash."
OPEN = "Continue the run kept in the folder runs/<name>; workbench resume does so too."


def enabled(stepping: Stepping) -> dict[str, bool]:
    """Which buttons have something to do."""
    found, running = stepping.found, stepping.running
    idle = not running or stepping.replacing  # a press is kept until the other run is there
    over = bool(found.get("over")) and not stepping.replacing
    return {
        "Run": idle and not over,
        "Pause": running,
        "Step": idle and not over,
        "Rewind": not running and found.get("back", 0) > 0,
        "Reset": bool(found),
    }


def standing(stepping: Stepping, files: Mapping[str, Any], stale: bool = False) -> str:
    """How far the run is and where it is kept (HTML); what went wrong comes first."""
    found = stepping.found
    for job in (found, files):
        if job.get("state") == "error":
            return f"<span class='bad'>{prose(str(job.get('message', '')))}</span>"
    if stale and not stepping.replacing:
        return "<span class='bad'>The settings have changed: press Reset to use them.</span>"
    if not found:
        return "<span class='small'>Not started yet.</span>"
    if "steps" not in found or stepping.replacing:
        return "<span class='small'>Preparing …</span>"
    parts = [f"step {found['steps']:,}"]
    if found.get("over"):
        parts.append("finished")
    elif found.get("share"):
        parts.append(f"{100 * found['share']:.0f}%")
    place = stepping.place
    parts.append(f"saved in {escape(place)}" if place else "not saved")
    return f"<span class='small'>{' · '.join(parts)}</span>"
