"""Error against compute, both logarithmic: for the laboratories of tiny networks and students.

Data in, plotly figures as dicts out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.views.style import Figure, ink, layout, log_axis

LEGEND = {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"}


@dataclass(frozen=True)
class Course:
    """Errors of one method.

    Args:
        name: in the legend.
        compute, errors: of each amount, in order; what is not above 0 has no place on the chart.
        tone, symbol: of its markers.
        dash: of the line that joins them; "" for none.
    """

    name: str
    compute: Sequence[float]
    errors: Sequence[float]
    tone: str
    symbol: str = "circle"
    dash: str = "solid"


def against_compute(
    courses: Sequence[Course],
    floor: float,
    x: str,
    y: str,
    dark: bool = False,
    height: int = 340,
) -> Figure:
    """The courses, and the error of the truth that they are held against, below which none is seen.

    Args:
        floor: that error; 0 for a truth that is exact.
        x, y: titles of the axes.
    """
    data: list[Figure] = []
    for course in courses:
        seen = [(c, e) for c, e in zip(course.compute, course.errors, strict=True) if e > 0.0]
        data.append({
            "type": "scatter", "mode": "lines+markers" if course.dash else "markers",
            "name": course.name, "x": [c for c, _ in seen], "y": [e for _, e in seen],
            "line": {"color": course.tone, "width": 2, "dash": course.dash or "solid"},
            "marker": {"color": course.tone, "symbol": course.symbol, "size": 8},
            "hovertemplate": "%{x:.3s}: %{y:.2e}<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    ends = [c for course in courses for c in course.compute if c > 0.0]
    if floor > 0.0 and ends:
        data.append({
            "type": "scatter", "mode": "lines", "name": "error of the truth itself",
            "x": [min(ends), max(ends)], "y": [floor, floor], "hoverinfo": "skip",
            "line": {"color": ink(dark), "width": 1, "dash": "dot"},
        })  # fmt: skip
    errors = [e for course in courses for e in course.errors]
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True, legend=LEGEND,
            xaxis=log_axis(dark, ends, title={"text": x}),
            yaxis=log_axis(dark, [*errors, floor], title={"text": y}),
        ),
    }  # fmt: skip
