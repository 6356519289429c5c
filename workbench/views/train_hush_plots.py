"""Charts of a language model that is trained away from a word."""

from collections.abc import Sequence

from workbench.experiments import Row
from workbench.views.style import Figure, axis, layout, window
from workbench.views.train_hush_words import grown
from workbench.views.train_plots import (
    ADVERSARY,
    ESTIMATE,
    LOSS,
    legend,
    level,
    line,
    named,
    p_by_steps,
    steps,
)


def danger(rows: Sequence[Row], before: Sequence[Row], dark: bool, height: int) -> Figure:
    """log10 P against steps under the worst prompts and under the model's own, both exact.

    Args:
        rows: metrics of the run: `steps`, `log10_p`, `log10_p_adv`.
        before: of the pinned run, whose worst prompts are dotted.
    """
    data = [
        line(before, "log10_p_adv", "the worst prompts, pinned", ADVERSARY, "dot", 0.6),
        line(rows, "log10_p_adv", "the worst prompts", ADVERSARY, "solid"),
        line(rows, "log10_p", "its own prompts", ESTIMATE, "solid"),
    ]
    data = [d for d in data if d["x"]]
    ends = window([y for d in data for y in d["y"]], [])
    return {"data": data, "layout": p_by_steps(ends, rows, before, dark, height)}


def perplexity(
    rows: Sequence[Row], before: Sequence[Row], growth: float | None, dark: bool, height: int
) -> Figure:
    """How much the perplexity of the first model's text has grown, and how much it may.

    Args:
        rows: metrics of the run: `steps` and `score`, the perplexity of before as a part of now's.
        before: of the pinned run.
        growth: the limit, or None where it is not known yet.
    """
    shares = [[{**row, "grown": grown(row)} for row in mine if "score" in row]
              for mine in (before, rows)]  # fmt: skip
    data = [
        line(shares[0], "grown", "perplexity, pinned", LOSS, "dot", 0.6),
        line(shares[1], "grown", "perplexity", LOSS, "solid"),
    ]
    data = [d for d in data if d["x"]]
    limits = [] if growth is None else [growth]
    top = max([*limits, 0.001, *(y for d in data for y in d["y"])])
    return {
        "data": data,
        "layout": layout(
            dark, height, **legend(),
            xaxis=steps(dark, rows, before),
            yaxis=axis(dark, range=[-0.05 * top, 1.2 * top], tickformat="+.1%", nticks=6,
                       title={"text": "growth of perplexity"}),
            shapes=[level(at) for at in limits],
            annotations=[named(at, f"at most {100.0 * at:g}%", 0) for at in limits],
        ),
    }  # fmt: skip
