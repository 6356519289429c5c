"""One HTML page with figures that needs no network."""

from collections.abc import Sequence
from html import escape
from typing import Any

from plotly.io import to_html

STYLE = """
body { font-family: sans-serif; margin: 24px auto; max-width: 1000px; padding: 0 16px;
       color: #1c1e21; }
table { border-collapse: collapse; margin: 12px 0 24px; }
th, td { padding: 4px 14px 4px 0; text-align: left; border-bottom: 1px solid #d8dade; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #b3261e; }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of these parts, each of them HTML.

    Args:
        title: of the window, as text.
        parts: what stands on the page, in order.
    """
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def plot(figure: Any, first: bool) -> str:
    """One figure; the first of a page brings plotly.js along for all."""
    return to_html(figure, full_html=False, include_plotlyjs=first, config={"responsive": True})


def rows(titles: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table; columns of these indices hold numbers, to the right. Cells are text."""
    marks = [" class=number" if j in numbers else "" for j in range(len(titles))]

    def row(tag: str, cells: Sequence[str]) -> str:
        made = zip(marks, cells, strict=True)
        return f"<tr>{''.join(f'<{tag}{mark}>{escape(cell)}</{tag}>' for mark, cell in made)}</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', titles)}</thead><tbody>{body}</tbody></table>"
