"""Charts of a comparison: error against forwards, and claimed against actual error."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.experiments import Row
from workbench.math.logspace import LN10
from workbench.views.compare_job import Cell
from workbench.views.roster import key_of, title
from workbench.views.style import GREY, Figure, axis, colour, ink, layout, power_ticks, symbol

LEAST = 1e-4
"""Digits: a smaller error is drawn here."""
TENTH = math.log10(1.1)
"""Digits of an error of 10%."""
_MOST = 300.0
Trace = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Runs:
    """What one estimator did on one problem."""

    key: str
    rows: Sequence[Row]
    traces: Sequence[Trace] = ()
    """(forwards, log10 P-hat) along each run."""


def by_estimator(rows: Sequence[Row]) -> list[Runs]:
    """Runs of one problem, sorted out."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if "reason" not in row:
            groups.setdefault(key_of(row["estimator"], row["settings"]), []).append(row)
    return [Runs(key, mine) for key, mine in groups.items()]


def of_cells(cells: Sequence[Cell], problem: str | None = None) -> list[Runs]:
    """Runs about the present budget and settings, of one problem or of all."""
    return [
        Runs(c.key, c.rows, c.traces)
        for c in cells
        if c.state != "stale" and problem in (None, c.problem)
    ]


def error_against_forwards(
    runs: Sequence[Runs], log10_p: float | None, dark: bool = False, height: int = 320
) -> Figure:
    """|error| in digits against forwards, both axes logarithmic: one problem.

    Small markers are runs, a large one their median, the line the median along the runs. The grey
    line is what plain Monte Carlo would have, sqrt((1 - P) / (P n)) of P: solid where it is an
    error, dotted where n P < 1 and most likely nothing is seen. A run that saw nothing stands at
    the top.
    """
    ends = [(r["forwards"], r["error"]) for mine in runs for r in mine.rows if _known(r)]
    forwards = [n for n, _ in ends if n > 0] or [100, 10_000]
    low, high = _decades(min(forwards), max(forwards), 1.0)
    seen = [abs(e) for _, e in ends if math.isfinite(e)]
    bottom = math.log10(max(LEAST, min([0.03, *seen]))) - 0.15
    plain = [] if log10_p is None else _plain(log10_p, low, high)
    seen += [y for line in plain for y in line["y"]][-1:]  # to the right, where it is least
    top = math.log10(min(_MOST, max([1.0, *seen]))) + 0.35
    data: list[Figure] = []
    if log10_p is not None:
        data += plain
        for mine in runs:
            data += _errors(mine, log10_p, 10.0 ** (top - 0.12))
    places, names = power_ticks(low, high)
    return {
        "data": data,
        "layout": layout(
            dark, height,
            xaxis=axis(
                dark, type="log", range=[low, high], tickvals=[10.0**p for p in places],
                ticktext=[_plus(n) for n in names], title={"text": "forward passes per run"},
            ),
            yaxis=_digits_axis(dark, bottom, top, "error, digits"),
            shapes=[_level(TENTH)],
            annotations=[_note("10%", low, math.log10(TENTH), dark)],
        ),
    }  # fmt: skip


def _plain(log10_p: float, low: float, high: float) -> list[Figure]:
    p = 10.0**log10_p
    if not 0.0 < p < 1.0:
        return []
    wakes = min(high, max(low, -log10_p))
    data = []
    for start, end, dash in ((low, wakes, "dot"), (wakes, high, "solid")):
        if end > start:
            n = [10.0**start, 10.0**end]
            y = [math.sqrt((1.0 - p) / (p * k)) / LN10 for k in n]
            said = "most likely sees nothing" if dash == "dot" else "plain Monte Carlo"
            data.append(
                {
                    "type": "scatter", "mode": "lines", "x": n, "y": y,
                    "line": {"color": GREY, "width": 2, "dash": dash},
                    "hovertemplate": f"plain Monte Carlo: {said}<extra></extra>",
                }
            )  # fmt: skip
    return data


def _errors(mine: Runs, log10_p: float, ceiling: float) -> list[Figure]:
    accent, name = colour(mine.key), title(mine.key)
    rows = [r for r in mine.rows if _known(r)]
    if not rows:
        return []
    size = [_shown(r["error"], ceiling) for r in rows]
    marks = ["triangle-up-open" if math.isinf(r["error"]) else symbol(mine.key) for r in rows]
    middle = statistics.median(size)
    blind = math.isinf(statistics.median(abs(r["error"]) for r in rows))
    base: Figure = {"type": "scatter", "mode": "markers"}
    data: list[Figure] = [
        {
            **base, "x": [r["forwards"] for r in rows], "y": size, "opacity": 0.45,
            "marker": {"color": accent, "size": 6, "symbol": marks},
            "text": [f"{name}, seed {r['seed']}: {_said(r['error'])}" for r in rows],
            "hovertemplate": "%{text}<br>%{x:,} forward passes<extra></extra>",
        },
        {
            **base, "x": [statistics.median(r["forwards"] for r in rows)], "y": [middle],
            "marker": {
                "color": accent, "size": 12, "line": {"width": 2, "color": accent},
                "symbol": "triangle-up-open" if blind else symbol(mine.key),
            },
            "hovertemplate": f"{name}: median of {len(rows)}<br>%{{x:,}} forward passes"
            f"<br>{'saw nothing' if blind else '%{y:.2g} digits'}<extra></extra>",
        },
    ]  # fmt: skip
    x, y = _median_trace(mine.traces, log10_p, ceiling)
    if len(x) > 1:
        line = {"color": accent, "width": 1.6}
        data.append(
            {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip"}
        )
    return data


def _median_trace(
    traces: Sequence[Trace], log10_p: float, ceiling: float
) -> tuple[list[float], list[float]]:
    """Median error along the runs, where at least half of them have an estimate."""
    ends = sorted({n for trace in traces for n, _ in trace})
    x, y = [], []
    for n in _thinned(ends):
        here = [next((v for m, v in reversed(t) if m <= n), None) for t in traces]
        errors = [_shown(v - log10_p, ceiling) for v in here if v is not None]
        if 2 * len(errors) >= len(traces):
            x.append(float(n))
            y.append(statistics.median(errors))
    return x, y


def _thinned(ends: Sequence[int], ratio: float = 1.2) -> list[int]:
    kept: list[int] = []
    for n in ends:
        if not kept or n >= ratio * kept[-1] or n == ends[-1]:
            kept.append(n)
    return kept


def calibration(runs: Sequence[Runs], dark: bool = False, height: int = 320) -> Figure:
    """Actual against claimed error in digits, one marker a run, all problems.

    On the diagonal an error is one standard error as claimed; a 95% interval holds the truth below
    the upper edge of the band. What lies far above claims too little.
    """
    pairs = [
        (mine.key, r)
        for mine in runs
        for r in mine.rows
        if _known(r) and _finite(r["log10_err"]) and math.isfinite(r["error"])
    ]
    sizes = [s for _, r in pairs for s in (_shown(r["error"]), max(LEAST, r["log10_err"]))]
    low, high = _decades(min(sizes, default=0.01), max(sizes, default=1.0), 0.5)
    data: list[Figure] = []
    for key in dict.fromkeys(key for key, _ in pairs):
        rows = [r for k, r in pairs if k == key]
        data.append(
            {
                "type": "scatter", "mode": "markers",
                "x": [max(LEAST, r["log10_err"]) for r in rows],
                "y": [_shown(r["error"]) for r in rows],
                "opacity": 0.75,
                "marker": {"color": colour(key), "size": 8, "symbol": symbol(key)},
                "text": [f"{title(key)} on {r['problem']}, seed {r['seed']}" for r in rows],
                "hovertemplate": "%{text}<br>claims %{x:.2g}, is %{y:.2g} digits off"
                "<extra></extra>",
            }
        )  # fmt: skip
    ends = [10.0**low, 10.0**high]
    band: Figure = {
        "type": "scatter", "mode": "lines", "x": [*ends, ends[1], ends[0]],
        "y": [1.96 * ends[0], 1.96 * ends[1], ends[0] / 1e3, ends[0] / 1e3],
        "fill": "toself", "fillcolor": "rgba(128,128,128,.16)", "line": {"width": 0},
        "hoverinfo": "skip",
    }  # fmt: skip
    diagonal: Figure = {
        "type": "scatter", "mode": "lines", "x": ends, "y": ends, "hoverinfo": "skip",
        "line": {"color": ink(dark), "width": 1.4},
    }  # fmt: skip
    names = _digits_axis(dark, low, high, "claimed standard error, digits")
    return {
        "data": [band, diagonal, *data],
        "layout": layout(
            dark, height, xaxis=names, yaxis=_digits_axis(dark, low, high, "actual error, digits"),
            annotations=[
                _note("claims too little", low, high - 0.05, dark, "top"),
                _note("95% intervals contain the truth", high, low + 0.02, dark, "bottom", "right"),
            ],
        ),
    }  # fmt: skip


def _known(row: Mapping[str, object]) -> bool:
    return row.get("error") is not None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _shown(error: float, ceiling: float = math.inf) -> float:
    return min(ceiling, max(LEAST, abs(error)))


def _said(error: float) -> str:
    return "saw nothing" if math.isinf(error) else f"{error:+.2g} digits"


def _decades(least: float, most: float, room: float) -> tuple[float, float]:
    """Ends of a log axis at whole halves of decades, with `room` decades to the right at most."""
    low, high = math.log10(least) - 0.2, math.log10(most) + 0.5 * room
    return math.floor(2.0 * low) / 2.0, math.ceil(2.0 * high) / 2.0


def _digits_axis(dark: bool, low: float, high: float, name: str) -> Figure:
    places = list(range(math.ceil(low), math.floor(high) + 1))
    texts = [f"≤{LEAST:g}" if 10.0**p <= LEAST else f"{10.0**p:g}" for p in places]
    return axis(
        dark, type="log", range=[low, high], tickvals=[10.0**p for p in places], ticktext=texts,
        title={"text": name},
    )  # fmt: skip


def _plus(name: str) -> str:
    """Ticks of counts: powers of ten, small ones written out."""
    return {"10<sup>1</sup>": "10", "10<sup>2</sup>": "100", "10<sup>3</sup>": "1,000"}.get(
        name, name
    )


def _level(at: float) -> Figure:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at,
        "line": {"color": GREY, "width": 1, "dash": "dash"},
    }  # fmt: skip


def _note(
    text: str, x: float, y: float, dark: bool, yanchor: str = "bottom", xanchor: str = "left"
) -> Figure:
    """Words at a place of two log axes, which take exponents here."""
    return {
        "x": x, "y": y, "text": text, "showarrow": False, "xanchor": xanchor, "yanchor": yanchor,
        "xshift": 4 if xanchor == "left" else -4, "font": {"size": 11, "color": GREY},
    }  # fmt: skip
