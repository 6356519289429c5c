"""What the toolbar of a run says: its buttons, and the line under them."""

from collections.abc import Mapping
from html import escape
from typing import Any

from workbench.html import prose
from workbench.views.stepping import Stepping

BUTTONS = (
    ("Run", "play", "Step on until it is finished or paused."),
    ("Pause", "pause", "Stop after the present step."),
    ("Step", "step", "One step, and no further."),
    ("Rewind", "rewind", "Back by one step; stepping on again gives the same, bit for bit."),
    ("Reset", "reset", "Start anew, with the settings as they are now."),
)
"""(name, method of `Stepping`, what it does)."""
SAVE = "Keep the run in the folder runs/<name> from now on; it survives a crash and can be resumed."
OPEN = "Go on with the run in the folder runs/<name>, here or by `workbench resume`."


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
        return "<span class='bad'>Settings have changed: Reset takes them over.</span>"
    if not found:
        return "<span class='small'>Not begun.</span>"
    if "steps" not in found or stepping.replacing:
        return "<span class='small'>Preparing …</span>"
    parts = [f"step {found['steps']:,}"]
    if found.get("over"):
        parts.append("finished")
    elif found.get("share"):
        parts.append(f"{100 * found['share']:.0f}%")
    place = stepping.place
    parts.append(f"kept in {escape(place)}" if place else "not kept")
    return f"<span class='small'>{' · '.join(parts)}</span>"
