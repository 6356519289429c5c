"""Plotly figures as widgets, filled from plain dicts."""

from copy import deepcopy
from typing import Any, cast

import plotly.graph_objects as go

from workbench.views.style import Figure


def empty_figure(height: int) -> go.FigureWidget:
    """An empty figure without a tool bar."""
    made = go.FigureWidget(layout={"height": height})
    made._config = {**made._config, "displayModeBar": False, "responsive": True}
    return made


def show_figure(widget: go.FigureWidget, figure: Figure) -> None:
    """Put a figure into the widget in one message; traces stay where their kinds are the same."""
    data, traces = figure["data"], cast(Any, widget.data)
    same = [t.type for t in traces] == [t["type"] for t in data]
    with widget.batch_update():
        if same:
            for trace, new in zip(traces, data, strict=True):
                trace.update(new, overwrite=True)
        numbered = {k: v for k, v in figure["layout"].items() if k[-1].isdigit()}
        first = {k: v for k, v in figure["layout"].items() if k not in numbered}
        widget.layout.update(first, overwrite=True)
        for name, axis in numbered.items():  # which `update` refuses to overwrite
            cast(Any, widget.layout)[name] = axis
    if not same:
        widget.data = []
        widget.add_traces(data)
    _keep(widget)


def _keep(widget: Any) -> None:
    """Let the widget's state be what it shows.

    Plotly sends changes as messages, and keeps the state of the first moment for pages that open
    later. A page whose scripts are still loading misses the messages: without this its figure
    stays as it was made, which is blank.
    """
    widget._widget_data = deepcopy(widget._data)
    widget._widget_layout = deepcopy(widget._layout_obj._props)
