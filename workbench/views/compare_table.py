"""The table of a comparison, in HTML: problem by problem, a row for every estimator."""

import math
from collections.abc import Sequence
from html import escape
from itertools import groupby

from workbench.experiments import Row
from workbench.html import MINUS, prose, signed
from workbench.numbers import places, several
from workbench.problem import Problem
from workbench.views.compare_job import Cell
from workbench.views.style import colour
from workbench.views.table import TABLE_CSS

_WRONG = 4.0  # standard errors off: by chance once in 16,000
_COLUMNS = (
    ("value", "median of log10 P over the seeds"),
    ("claimed", "median of the standard errors that the runs claim, in digits"),
    ("error", "median of log10 P minus the truth, in digits: −1 is ten times too small"),
    ("covered", "how many of the runs' 95% intervals contain the truth"),
    ("passes", "forward passes per run, other work converted"),
    ("seconds", "of a run"),
    (
        "W10",
        "forward passes needed for a relative error of 10%: the relative variance of the runs × "
        "their forward passes / 0.01; a rough figure where seeds are few",
    ),
)


def table(cells: Sequence[Cell], problems: Sequence[Problem], recipe: str = "") -> str:
    """All cells under the head of their problem.

    Args:
        cells: problem by problem.
        problems: those that the cells are about.
        recipe: the notebook cell to show under the table.
    """
    known = {problem.name: problem for problem in problems}
    heads = "".join(
        f"<th class='n' title='{escape(doc, quote=True)}'>{name}</th>" for name, doc in _COLUMNS
    )
    lines = [f"<tr><th>estimate of log<sub>10</sub> P</th>{heads}<th class='s'>state</th></tr>"]
    for name, group in groupby(cells, key=lambda cell: cell.problem):
        lines.append(_head(known[name]))
        lines += [_line(cell) for cell in group]
    if not cells:
        lines.append("<tr><td colspan='9'>Pick a problem and an estimator.</td></tr>")
    return (
        f"<style>{CSS}</style><div class='wb-wide'><table class='wb-table'>{''.join(lines)}</table>"
        f"</div>{_shown(recipe)}"
    )


def _head(problem: Problem) -> str:
    truth = problem.truth
    said = "no truth is stored with it"
    if truth is not None:
        error = f"± {truth.se_log10:.1g}" if truth.se_log10 > 0 else "exactly"
        said = f"truth {signed(truth.log10_p, places(truth.se_log10))} {error}"
    told = escape(problem.about, quote=True)
    about = f"<span class='small' title='{told}'>{prose(problem.about)}</span>"
    return (
        f"<tr class='wb-problem'><td colspan='9'><b>{escape(problem.name)}</b> · {said} {about}"
        "</td></tr>"
    )


def _line(cell: Cell) -> str:
    data = (
        f"data-problem='{escape(cell.problem, quote=True)}' "
        f"data-key='{escape(cell.key, quote=True)}'"
    )
    dot = f"<span class='dot' style='background:{colour(cell.key)}'></span>"
    name = (
        f"<button class='wb-open' data-do='open' {data} title='Open in Explore'>{dot}"
        f"{escape(cell.title)}</button>"
    )
    place = f"<tr class='wb-{cell.state}' data-cell='{escape(cell.problem)} {cell.key}'>"
    if cell.state == "refused" and cell.summary is None:
        why = f"<td colspan='8'><span class='wb-why'>{prose(cell.note)}</span></td>"
        return f"{place}<td>{name}</td>{why}</tr>"
    numbers = _numbers(cell.summary, data) if cell.summary else "<td></td>" * len(_COLUMNS)
    beware = _beware(cell.summary) if cell.summary and cell.state != "stale" else ""
    state = f"<td class='s'>{_state(cell)} {_buttons(cell, data)}</td>"
    return f"{place}<td>{name}</td>{numbers}{state}</tr>{beware}"


def _numbers(row: Row, data: str) -> str:
    claimed, error = row["log10_err"], row["error"]
    blind = row["log10_p"] == -math.inf
    value = "none seen" if blind else signed(row["log10_p"], places(claimed))
    off = f"{' bad' if confidently_wrong(row) else ''}' data-error='{error!r}"
    open_here = f"data-do='open' {data} title='Open in Explore'"
    held = f"{row['covered']} of {row['intervals']}" if row["intervals"] else "–"
    cells = [
        f"<td class='n v' {open_here} data-log10p='{row['log10_p']!r}'>{value}</td>",
        f"<td class='n'>{_claimed(claimed)}</td>",
        f"<td class='n{off}' {open_here}>{_error(error, claimed)}</td>",
        f"<td class='n{' bad' if _missed(row) else ''}'>{held}</td>",
        f"<td class='n'>{row['forwards']:,.0f}</td>",
        f"<td class='n'>{row['seconds']:.2g}</td>",
        f"<td class='n'>{_worth(row)}</td>",
    ]
    return "".join(cells)


def _claimed(claimed: float | None) -> str:
    if claimed is None:
        return "none"
    return f"± {claimed:.2g}" if math.isfinite(claimed) else "unknown"


def _error(error: float | None, claimed: float | None) -> str:
    if error is None:
        return "–"
    if math.isinf(error):
        return f"{MINUS}∞"
    if abs(error) < 5e-4:
        return "0" if error == 0 else prose(f"{error:+.0e}").replace("-", MINUS)
    size = min(abs(error), claimed) if claimed and math.isfinite(claimed) else abs(error)
    return f"{error:+.{max(2, min(3, places(size)))}f}".replace("-", MINUS)


def confidently_wrong(row: Row) -> bool:
    """Whether the error is far beyond what was claimed."""
    error, claimed = row["error"], row["log10_err"]
    if error is None or claimed is None or not math.isfinite(error) or not math.isfinite(claimed):
        return False
    return abs(error) > _WRONG * math.hypot(claimed, row["truth_se"])


def _missed(row: Row) -> bool:
    """Whether so many intervals miss the truth that 95% ones would do so once in 1,000 or less."""
    n, missed = row["intervals"], row["intervals"] - row["covered"]
    tail = sum(math.comb(n, k) * 0.05**k * 0.95 ** (n - k) for k in range(missed, n + 1))
    return missed > 0 and tail < 1e-3


def _worth(row: Row) -> str:
    if row["mean_of_truth"] is not None:
        return f"mean {row['mean_of_truth']:.2g} P"
    return "" if row["w10"] is None else f"{float(format(row['w10'], '.2g')):,.0f}"


def _beware(row: Row) -> str:
    """What the estimator itself warns of."""
    if not row["warning"]:
        return ""
    runs = f"{row['warnings']} of {row['seeds']}: " if row["seeds"] > 1 else ""
    text = f"{runs}{prose(row['warning'])}"
    return f"<tr class='wb-beware'><td></td><td colspan='8'>{text}</td></tr>"


def _state(cell: Cell) -> str:
    done = len(cell.rows)
    seeds = several(done, "seed")
    match cell.state:
        case "running" | "stopped":
            share = f"{100 * cell.fraction:.0f}%"
            bar = f"<span class='bar'><span style='width:{share}'></span></span>"
            return f"{bar} {share}{' stopped' if cell.state == 'stopped' else ''}"
        case "waiting":
            return "waiting"
        case "done":
            return seeds
        case "stale":
            return "for other settings"
        case "refused":
            return f"after {seeds}: {prose(cell.note)}"
        case _:
            return f"{seeds} so far" if done else "not run"


def _buttons(cell: Cell, data: str) -> str:
    act = {
        "running": "stop", "waiting": "stop", "stopped": "continue", "idle": "run", "stale": "run",
    }.get(cell.state)  # fmt: skip
    made = []
    if act:
        what = "cancel" if act == "stop" else "run"
        made.append(f"<button data-do='{what}' {data}>{act}</button>")
    made.append(
        f"<button data-do='recipe' {data} title='Python that reproduces this row'>code</button>"
    )
    return "".join(made)


def _shown(recipe: str) -> str:
    if not recipe:
        return ""
    return (
        "<div class='wb-recipe'><span class='small'>A notebook cell that reproduces this row</span>"
        "<button data-copy='#wb-recipe-text'>copy</button>"
        "<button data-do='hide'>close</button>"
        f"<pre id='wb-recipe-text'>{escape(recipe)}</pre></div>"
    )


CSS = f"""
{TABLE_CSS}
:host {{ font-size: 14px; }}
.wb-problem .small, .wb-recipe .small {{ font-size: 12px; opacity: .72; font-weight: 400;
  margin-left: 6px; }}
.wb-table .wb-problem td {{ padding-top: 12px; max-width: 0; overflow: hidden;
  text-overflow: ellipsis; }}
.wb-table td[data-do] {{ cursor: pointer; }}
.wb-table td[data-do]:hover {{ text-decoration: underline; }}
.wb-table .bad {{ color: var(--wb-bad, #b3261e); font-weight: 600; }}
.wb-table .bad::after {{ content: " !"; }}
.wb-table .s {{ width: auto; padding-right: 0; }}
.wb-table td.s {{ min-width: 116px; }}
.wb-table td, .wb-table th {{ padding-right: 8px; }}
.wb-table .bar {{ width: 48px; }}
@media (max-width: 1180px) {{
  .wb-table {{ font-size: 12px; }}
  .wb-table td, .wb-table th {{ padding-right: 4px; }}
  .wb-table .v, .wb-table td.s {{ min-width: 0; }}
  .wb-table button.wb-open {{ font-size: 12px; padding: 0; white-space: normal; }}
}}
.wb-table button, .wb-recipe button {{ font: inherit; font-size: 12px; color: inherit;
  background: transparent; border: 1px solid rgba(128,128,128,.45); border-radius: 4px;
  padding: 0 7px; margin-left: 6px; cursor: pointer; }}
.wb-table button.wb-open {{ font-size: 13px; border-color: transparent; margin: 0; padding: 0 4px;
  text-align: left; }}
.wb-table button.wb-open:hover {{ text-decoration: underline; }}
.wb-table button:focus-visible, .wb-recipe button:focus-visible {{ outline: 2px solid #0072B2; }}
.wb-recipe {{ margin-top: 12px; }}
.wb-recipe pre {{ background: rgba(128,128,128,.13); padding: 10px 12px; border-radius: 4px;
  overflow-x: auto; font-size: 12px; color: inherit; }}
"""
