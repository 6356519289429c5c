"""The table of estimates, as HTML."""

import math
from collections.abc import Sequence
from html import escape

from workbench.html import MINUS, prose, signed
from workbench.numbers import places
from workbench.problem import Truth
from workbench.types import Pace
from workbench.views.roster import roster
from workbench.views.rows import Row
from workbench.views.style import colour

STATES = {"running": "counting", "stale": "for earlier settings", "error": "failed"}
KINDS = {
    "heuristic": "heuristic",
    "unbiased": "unbiased",
    "consistent": "consistent",
    "lower": "lower bound",
    "upper": "upper bound",
}
INDICATED = (
    "A heuristic: no error bar. Judging by checks of its own, it may be off by about this many "
    "digits."
)
PROMISES = {
    "heuristic": "A heuristic has no error bar: compare it with the truth on problems like this "
    "one.",
    "unbiased": "Its mean over seeds is P exactly.",
    "consistent": "It converges to P as the budget grows.",
    "lower": "P is proved to be at least this.",
    "upper": "P is proved to be at most this.",
}

LEAST = 5e-4
"""Digits: checks that find less than this find nothing, which bounds no error."""
INSTEAD = "; try instead: "
"""What a refusal names after this is the same for every row, and so is said once."""


def table(rows: Sequence[Row], truth: Truth | None, marked: str = "") -> str:
    """The estimates as an HTML table; the cell of each has the class `wb-estimate-<key>`.

    Rows that wait to be asked for are left out, for each has a button, and so are those that do
    not fit the problem, which `refused` tells. The row `marked` stands out. What there is to
    beware of is said once.
    """
    head = (
        "<tr><th>estimate of log<sub>10</sub> P</th><th class='n'>value</th>"
        "<th class='n'>error</th>"
        "<th class='n' title='digits above or below the truth'>off by</th>"
        "<th class='n' title='evaluations of M, other work converted'>forward passes</th>"
        "<th class='s'>state</th></tr>"
    )
    lines, failed, warned = [], [], set[str]()
    for row in rows:
        if row.state == "error" or (row.state == "ready" and row.log10_p is None):
            failed.append(row)
        elif row.state != "unsupported" and (row.state != "idle" or not _asked(row)):
            lines.append(_line(row, truth, "wb-marked " if row.key == marked else ""))
            if row.warning and row.state not in ("running", "stale"):
                lines.append(_beware(row.warning, warned))
    body = f"{head}{''.join(lines)}{_reasons(failed)}"
    return f"<div class='wb-wide'><table class='wb-table'>{body}</table></div>"


def refused(rows: Sequence[Row], marked: str = "") -> str:
    """What does not fit the problem and why, folded away; "" where all fit."""
    unfit = [row for row in rows if row.state == "unsupported"]
    if not unfit:
        return ""
    told = "estimator does" if len(unfit) == 1 else "estimators do"
    unfolded = " open" if marked in [row.key for row in unfit] else ""
    return (
        f"<details class='wb-unfit'{unfolded}><summary>{len(unfit)} {told} not fit this problem"
        f"</summary><table class='wb-table'>{_reasons(unfit)}</table></details>"
    )


def _reasons(rows: Sequence[Row]) -> str:
    """Rows that cannot be made, together where they have the same reason."""
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        reasons.setdefault((row.state, row.note), []).append(row)
    lines, told = [], ""
    for (state, note), together in reasons.items():
        why, _, instead = note.partition(INSTEAD)
        lines.append(_reason(together, state, why if instead == told else note, note))
        told = instead or told
    return "".join(lines)


def _asked(row: Row) -> bool:
    entry = roster().get(row.key)
    return entry is None or entry.pace is Pace.ASKED


def _name(row: Row) -> str:
    dot = f"<span class='dot' style='background:{colour(row.key)}'></span>"
    return f"<span class='name'>{dot}{escape(row.title)}</span>"


def _reason(together: Sequence[Row], state: str, said: str, note: str) -> str:
    names = " ".join(_name(row) for row in together)
    classes = " ".join(f"wb-estimate-{row.key}" for row in together)
    return (
        f"<tr class='wb-{'error' if state == 'error' else 'cannot'}'><td class='who'>{names}</td>"
        f"<td colspan='5' class='wb-why {classes}' title='{escape(note, quote=True)}'>"
        f"{prose(said)}</td></tr>"
    )


def _beware(warning: str, warned: set[str]) -> str:
    """What a row warns of; the parts that a row above has said are not said again."""
    parts = warning.split("; ")
    new = [part for part in parts if part.lower() not in warned]
    warned.update(part.lower() for part in parts)
    said = "; ".join(new)
    if len(new) < len(parts):
        said = f"{said[0].upper()}{said[1:]}; and as above." if said else "As above."
    whole = escape(warning, quote=True)
    return f"<tr class='wb-beware'><td></td><td colspan='5' title='{whole}'>{prose(said)}</td></tr>"


def _line(row: Row, truth: Truth | None, mark: str) -> str:
    promise = f"title='{PROMISES[row.kind]}'"
    value, error, off = "–", KINDS[row.kind], ""
    if row.log10_p is not None:
        value = signed(row.log10_p, places(row.err, 3 if row.state == "ready" else 2))
        if row.upper_only is not None:
            value, error = f"&lt; {signed(row.upper_only)}", "95% bound"
        elif row.note and row.log10_p == -math.inf:
            value = "–"
        elif row.err is not None and math.isfinite(row.err):
            error = f"± {row.err:.2g}"
        elif (row.indicator or 0.0) >= LEAST and math.isfinite(row.log10_p):
            error, promise = f"{error}, ~{row.indicator:.1g}", f"title='{INDICATED}'"
        if truth is not None and math.isfinite(row.log10_p):
            off = f"{row.log10_p - truth.log10_p:+.2f}".replace("-", MINUS)
    cost = f"{row.forwards:,}" if row.forwards else ""
    raw = "" if row.log10_p is None else f" data-log10p='{row.log10_p!r}'"
    return (
        f"<tr class='{mark}wb-{row.state}'><td>{_name(row)}</td>"
        f"<td class='n v'><span class='wb-estimate-{row.key}'{raw}>{value}</span></td>"
        f"<td class='n e' {promise}>{error}</td><td class='n'>{off}</td>"
        f"<td class='n'>{cost}</td><td class='s'>{_state(row)}</td></tr>"
    )


def _state(row: Row) -> str:
    match row.state:
        case "ready":
            return "live, from the weights"
        case "done":
            return f"done, {row.seconds:.2g} s"
        case "idle":
            return "when the sliders rest"
        case "running" | "paused":
            bar = f"<span class='bar'><span style='width:{100 * row.fraction:.1f}%'></span></span>"
            text = f"{bar} {100 * row.fraction:.0f}%" + (" paused" if row.state == "paused" else "")
        case _:
            text = STATES[row.state]
    return text + (f", {prose(row.note)}" if row.note else "")


TABLE_CSS = """
.bk-clearfix, .wb-table { width: 100%; }
sup, sub { line-height: 0; font-size: .75em; }
.wb-wide { overflow-x: auto; }
.wb-table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
.wb-table th { font-weight: 500; text-align: left; opacity: .65; font-size: 12px; }
.wb-table th, .wb-table td { padding: 4px 10px 4px 0; white-space: nowrap;
  border-bottom: 1px solid rgba(128,128,128,.22); }
.wb-table td { text-align: left; }
.wb-table .n { text-align: right; }
.wb-table .v { font-weight: 600; min-width: 72px; }
.wb-table .s { width: 22%; padding-left: 14px; }
.wb-table td.s { white-space: normal; min-width: 96px; }
@media (max-width: 1180px) { .wb-table td.e { white-space: normal; } }
.wb-table .wb-marked td { background: rgba(230,159,0,.18); }
.wb-table .wb-why { white-space: normal; font-size: 12px; }
.wb-table .who { white-space: normal; vertical-align: top; }
.name { display: inline-block; white-space: nowrap; margin-right: 10px; }
.wb-table .wb-idle td, .wb-table .wb-stale td, .wb-table .wb-cannot td { opacity: .6; }
.wb-table .wb-beware td { white-space: normal; color: var(--wb-warn, #9a4a08); font-size: 12px; }
.wb-table .wb-error .wb-why { color: var(--wb-bad, #b3261e); }
.wb-unfit summary { font-size: 12px; opacity: .72; padding: 5px 0; cursor: pointer; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%;
  margin-right: 8px; }
.bar { display: inline-block; width: 90px; height: 6px; border-radius: 3px; margin-right: 4px;
  background: rgba(128,128,128,.25); vertical-align: middle; overflow: hidden; }
.bar span { display: block; height: 100%; background: rgba(128,128,128,.9); }
"""
