"""Charts of a search for D: log P step by step, and the frontier of log P against nats."""

import math
from collections.abc import Sequence
from typing import Any

from workbench.adversaries import Attack
from workbench.adversaries.evidence import binary_nats
from workbench.math.logspace import LN10
from workbench.problem import Problem
from workbench.views.adversary_kept import Check, Pin
from workbench.views.style import GREY, Figure, axis, colour, ink, layout, power_ticks, symbol

CHECKED = "importance"
"""The row whose accent marks a check."""
MOST = "upper limit for any D"
_LEAST, _LEVELS = 0.02, 60
_LEAST_DRAWN = 0.5  # nats below which a gain seen by few draws is their luck
_RIVALS = ("x", "cross", "triangle-up", "triangle-down")
_LEGEND = {"orientation": "h", "x": 0.0, "y": 1.02, "xanchor": "left", "yanchor": "bottom",
           "bgcolor": "rgba(0,0,0,0)", "font": {"size": 11}}  # fmt: skip


def course(
    rows: Sequence[dict[str, Any]], checks: Sequence[Check], by: str, problem: Problem,
    dark: bool = False, height: int = 300,
) -> Figure:  # fmt: skip
    """log10 P of the reference, the present D, the best so far and the checks, by step."""
    walked = [row for row in rows if _drawn(row.get("log10_p"))]
    steps = [row["steps"] for row in walked]
    data = [
        _line("best so far", steps, [row["log10_p_best"] for row in walked], colour(by), "linear"),
        _line("this step", steps, [row["log10_p"] for row in walked], colour(by), "linear",
              width=1, opacity=0.55),
        _checks(checks, [c.steps for c in checks]),
    ]  # fmt: skip
    level, said = _reference(rows, problem)
    shapes, notes = [], []
    if level is not None:
        shapes = [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": level, "y1": level,
                   "line": {"color": ink(dark), "width": 1.4, "dash": "dot"}}]  # fmt: skip
        notes = [_note(said, level, dark)]
    values = [v for row in walked for v in (row["log10_p"],)] + [c.log10_p for c in checks]
    return _figure(data, values, level, dark, height, "step", shapes, notes)


def frontier(
    attack: Attack | None, checks: Sequence[Check], pins: Sequence[Pin], by: str, problem: Problem,
    rows: Sequence[dict[str, Any]] = (), rivals: Sequence[Attack] = (),
    dark: bool = False, height: int = 300,
) -> Figure:  # fmt: skip
    """log10 P against the nats spent: the price list of failure."""
    data, values = [], []
    for k, pin in enumerate(pins):
        x, y = _price_list(pin.attack)
        values += y
        data.append(_line(_pinned(k, pins), x, y, GREY, "linear", dash="dash"))
        data[-1]["mode"], data[-1]["marker"] = "lines+markers", {"size": 4, "color": GREY}
        if pin.attack.checked is not None and _drawn(pin.attack.checked.log10_p):
            data.append(_points("pinned, checked", [pin.attack.nats], [pin.attack.checked.log10_p],
                                GREY, "square-open"))  # fmt: skip
            data[-1]["showlegend"] = False
    x, y = _price_list(attack) if attack is not None else ([], [])
    data.append(_line("this search", x, y, colour(by), "linear"))
    data[-1]["mode"], data[-1]["marker"] = "lines+markers", {"size": 5, "color": colour(by)}
    data.append(_checks(checks, [c.attack.nats for c in checks]))
    level, _ = _reference(rows, problem)
    if level is not None:
        data.append(_points("D₀", [0.0], [level], ink(dark), "circle", cliponaxis=False))
    for rival, mark in zip(rivals, _RIVALS, strict=False):
        said = None if rival.checked is None else rival.checked.log10_p
        if said is not None and _drawn(said):
            values.append(said)
            name = rival.family.replace("_", " ")
            data.append(_points(name, [rival.nats], [said], GREY, mark))
    values += y + [c.log10_p for c in checks]
    return _figure(data, values, level, dark, height, "nats spent: KL(D ‖ D₀)", [], [])


def gain(
    attack: Attack | None, checks: Sequence[Check], pins: Sequence[Pin], by: str,
    dark: bool = False, height: int = 220,
) -> Figure:  # fmt: skip
    """Digits of P gained for each nat spent, against nats; and the most that any D could gain."""
    data = []
    for k, pin in enumerate(pins):
        data.append(_worth(_pinned(k, pins), pin.attack, GREY, "dash"))
    if attack is not None:
        start = start_of(attack)
        data.append(_worth("this search", attack, colour(by), "solid"))
        most = [(n, v / n) for n, v in zip(*most_gain(start * LN10), strict=True) if n > _LEAST]
        if most:  # where P is 1 there is no more to gain
            nats, worth = most[-1]
            most += [(nats * f, worth / f) for f in (1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 8.0)]
        data.append(_line(MOST, [n for n, _ in most], [g for _, g in most], GREY, "linear",
                          dash="dot"))  # fmt: skip
        seen = [(c.attack.nats, (c.log10_p - start) / c.attack.nats) for c in checks
                if _drawn(c.log10_p) and math.isfinite(start) and c.attack.nats > 0.0]  # fmt: skip
        data.append(_points("independent sampler", [n for n, _ in seen], [g for _, g in seen],
                            colour(CHECKED), symbol(CHECKED)))  # fmt: skip
    for trace in data:
        trace["hovertemplate"] = "%{x:.3g} nats: %{y:.2f} digits per nat<extra></extra>"
    found = [d for d in data if d["name"] != MOST]
    reach = max([1.0, *(n for d in found for n in d["x"])])
    top = max([1.0, *(g for d in found for g in d["y"])])  # the bound may go off it
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True,
            legend={"x": 0.98, "y": 0.98, "xanchor": "right", "yanchor": "top",
                    "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
            xaxis=axis(dark, title={"text": "nats spent: KL(D ‖ D₀)"}, range=[0, 1.05 * reach]),
            yaxis=axis(dark, title={"text": "digits per nat"}, range=[0, 1.4 * top]),
        ),
    }  # fmt: skip


def _worth(name: str, attack: Attack, tone: str, dash: str) -> Figure:
    """Digits above those of D0, a nat."""
    x, y = _price_list(attack)
    start, least = start_of(attack), _LEAST_DRAWN if _drawn_from(attack) else _LEAST
    known = math.isfinite(start)
    points = [(n, (v - start) / n) for n, v in zip(x, y, strict=True) if n > least and known]
    trace = _line(name, [n for n, _ in points], [g for _, g in points], tone, "linear", dash=dash)
    return {**trace, "mode": "lines+markers", "marker": {"size": 4, "color": tone}}


def _drawn_from(attack: Attack) -> bool:
    """Whether P along the path is a share of few draws."""
    return "first_hits" in attack.found.info


def most_gain(reference: float) -> tuple[list[float], list[float]]:
    """(nats, log10 P) that the binary relative entropy allows at most."""
    if not math.isfinite(reference) or reference >= 0.0:
        return [0.0], [0.0]
    levels = [reference * (1.0 - k / _LEVELS) for k in range(_LEVELS + 1)]
    return [binary_nats(p, reference) for p in levels], [(p - reference) / LN10 for p in levels]


def start_of(attack: Attack) -> float:
    """log10 P under D0: the search's own, or the truth where its first draws saw no failure."""
    reference, truth = attack.found.reference / LN10, attack.problem.truth
    few = _drawn_from(attack)
    return truth.log10_p if few and truth is not None else reference


def _price_list(attack: Attack) -> tuple[list[float], list[float]]:
    points = [(0.0, start_of(attack) * LN10), *attack.frontier()]
    drawn = [(x, y / LN10) for x, y in points if math.isfinite(y)]
    return [x for x, _ in drawn], [y for _, y in drawn]


def _reference(
    rows: Sequence[dict[str, Any]], problem: Problem
) -> tuple[float | None, str]:  # fmt: skip
    if problem.truth is not None and _drawn(problem.truth.log10_p):
        return problem.truth.log10_p, "under D₀: truth"
    told = rows[-1].get("log10_p_reference") if rows else None
    return (told, "under D₀: estimate") if _drawn(told) else (None, "")


def _drawn(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _line(
    name: str, x: Sequence[float], y: Sequence[float], tone: str, shape: str, width: float = 2.2,
    opacity: float = 1.0, dash: str = "solid",
) -> Figure:  # fmt: skip
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y),
        "opacity": opacity, "line": {"color": tone, "width": width, "shape": shape, "dash": dash},
        "hovertemplate": "%{x:.3g}: 10<sup>%{y:.2f}</sup><extra>%{fullData.name}</extra>",
    }  # fmt: skip


def _points(
    name: str, x: Sequence[float], y: Sequence[float], tone: str, mark: str, **more: Any
) -> Figure:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": list(x), "y": list(y),
        "marker": {"color": tone, "symbol": mark, "size": 9},
        "hovertemplate": "%{x:.3g}: 10<sup>%{y:.2f}</sup><extra>%{fullData.name}</extra>", **more,
    }  # fmt: skip


def _checks(checks: Sequence[Check], x: Sequence[float]) -> Figure:
    shown = [(at, c) for at, c in zip(x, checks, strict=True) if _drawn(c.log10_p)]
    bars = [1.96 * (c.err if _drawn(c.err) else 0.0) for _, c in shown]  # type: ignore[operator]
    return _points(
        "independent sampler", [at for at, _ in shown], [c.log10_p for _, c in shown],
        colour(CHECKED), symbol(CHECKED),
        error_y={"type": "data", "array": bars, "color": colour(CHECKED), "thickness": 1.4},
    )  # fmt: skip


def _note(said: str, level: float, dark: bool) -> Figure:
    return {
        "x": 1.0, "xref": "paper", "xanchor": "right", "y": level, "yanchor": "bottom",
        "text": said, "showarrow": False, "font": {"size": 11, "color": ink(dark)},
    }  # fmt: skip


def _figure(
    data: list[Figure], values: Sequence[float], level: float | None, dark: bool, height: int,
    title: str, shapes: list[Figure], notes: list[Figure],
) -> Figure:  # fmt: skip
    known = [v for v in (*values, level) if v is not None and math.isfinite(v)] or [-8.0, 0.0]
    low, high = math.floor(min(known) - 0.2), min(0.15, math.ceil(max(known) + 0.2))
    places, names = power_ticks(low, high, 7)
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, shapes=shapes, annotations=notes,
            legend=_LEGEND,
            xaxis=axis(dark, title={"text": title}, **_room(data)),
            yaxis=axis(dark, range=[low, high], tickvals=places, ticktext=names,
                       title={"text": "P"}),
        ),
    }  # fmt: skip


def _pinned(k: int, pins: Sequence[Pin]) -> str:
    """What a legend calls pin k: short, since the table under the chart names it."""
    return "pinned" if len(pins) == 1 else f"pinned {k + 1}"


def _room(data: Sequence[Figure]) -> Figure:
    """A range of x with a little room for the marks at both ends."""
    most = max((x for trace in data for x in trace["x"]), default=0.0)
    return {"range": [-0.03 * most, 1.07 * most]} if most > 0.0 else {"rangemode": "tozero"}
