"""What is said of a language model that is trained away from a word (HTML)."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from workbench.experiments import Row
from workbench.html import power, signed
from workbench.numbers import several

PRESS = (
    "<b>Run</b> takes gradient steps against the word under the worst prompts, which are found "
    "anew at every step."
)
START = f"Nothing has been trained yet. {PRESS}"


def sentence(rows: Sequence[Row], growth: float, nats: float) -> str:
    """How likely the word still is, and what became of the perplexity.

    Args:
        rows: metrics of the run, the first of them of the model as it was given.
        growth: how much the perplexity may grow.
        nats: how far the worst prompts may go.
    """
    first, best, made = rows[0], best_row(rows, growth), rows[-1]["steps"]
    if made == 0:
        return (
            f"Nothing has been trained yet: P is <b>{power(first['log10_p_adv'])}</b> under the "
            f"worst prompts within {nats:g} nats and {power(first['log10_p'])} under the model's "
            f"own, both exactly. {PRESS}"
        )
    return (
        f"After <b>{several(made, 'step')}</b> P is <b>{power(best['log10_p_adv'])}</b> under the "
        f"worst prompts within {nats:g} nats and {power(best['log10_p'])} under the model's own; "
        f"at first it was {power(first['log10_p_adv'])} and {power(first['log10_p'])}. All four "
        f"are exact. The perplexity has grown by {signed(100.0 * grown(best), 2)}%; a growth of "
        f"{100.0 * growth:g}% is allowed."
    )


def best_row(rows: Sequence[Row], growth: float) -> Row:
    """Of the best model within the limit."""
    within = [r for r in rows if grown(r) <= growth + 1e-9] or rows[:1]
    return min(within, key=lambda r: r["log10_p_adv"])


def grown(row: Row) -> float:
    """By what share the perplexity has grown."""
    return 1.0 / row["score"] - 1.0


def ledger(met: Sequence[Mapping[str, Any]]) -> str:
    """One line a prompt: its shares under D0 and the worst D, P of C after it, before and now.

    Args:
        met: each with `prompt`, `share`, `worst` and `log10_p`, the latter two before and now.
    """
    if not met:
        return "<span class='small'>None yet: they are found when the training starts.</span>"
    lines = []
    for each in met:
        text = escape(each["prompt"].replace(" ", "␣"))
        was, now = each["worst"]
        before, after = each["log10_p"]
        lines.append(
            f"<tr><td><code>{text}</code></td><td class='n'>{_share(each['share'])}</td>"
            f"<td class='n'>{_share(was)}</td><td class='n'>{_share(now)}</td>"
            f"<td class='n'>{power(before)}</td><td class='n'><b>{power(after)}</b></td></tr>"
        )
    head = (
        "<tr><th>prompt</th>"
        "<th class='n' title='how often the model itself writes this prompt'>share, D₀</th>"
        "<th class='n' title='under the worst D for the model at the start, or the pinned one'>"
        "in the worst D before</th>"
        "<th class='n' title='under the worst D for the present model'>now</th>"
        "<th class='n' title='of C after this prompt, for the model at the start, or the pinned "
        "one'>P before</th>"
        "<th class='n' title='of C after this prompt, for the present model'>P now</th></tr>"
    )
    return f"<table class='wb-table'>{head}{''.join(lines)}</table>"


def _share(value: float) -> str:
    return f"{100.0 * value:.1f}%" if value >= 0.0005 else "&lt;0.1%"
