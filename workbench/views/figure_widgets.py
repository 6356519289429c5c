"""Plotly figures as widgets, filled from plain dicts.

Not plotly's own `FigureWidget`: that sends what changes as messages, which a page misses whose
scripts are still loading, and brings its five megabytes of script once for every figure.
"""

import json
from pathlib import Path
from typing import Any, cast

import anywidget
import plotly
import traitlets
from plotly.io._json import to_json_plotly

from workbench.views.shelf import FOLLOW, Shelf
from workbench.views.style import Figure

SOURCE = Path(__file__).with_name("chart.js").read_text()


class Library(Shelf):
    """The script that draws; one serves all charts of a kernel."""

    _one: "Library | None" = None

    @classmethod
    def one(cls) -> "Library":
        """The one there is; another where somebody has closed it."""
        if cls._one is None or cls._one.comm is None:
            script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
            cls._one = cls(text=script.read_text())
        return cls._one


class Chart(anywidget.AnyWidget):
    """Shows a figure, of which its shelf holds the JSON of `data` and `layout`."""

    shelf = traitlets.Unicode("").tag(sync=True)
    library = traitlets.Unicode("").tag(sync=True)
    _esm = (
        SOURCE
        + FOLLOW
        + """
async function load(model) {
  const shelf = await model.widget_manager.get_model(model.get("library"));
  const text =
    `const module = { exports: {} };\\n${shelf.get("text")}\\nexport default module.exports;`;
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const before = window.Plotly;  // another one may be on the page, with charts of its own
  const { default: plotly } = await import(address);
  if (before) window.Plotly = before;
  URL.revokeObjectURL(address);
  return plotly;
}
// All charts of a page share one plotly; where it did not come, the next chart asks again.
const shared = (model) => (window.workbenchPlotly ??= load(model).catch((error) => {
  window.workbenchPlotly = undefined;
  throw error;
}));
async function render({ model, el }) {
  const [place, draw, gone] = chart(() => shared(model));
  el.append(place);
  const stop = await follow(model, "shelf", draw);
  return () => {
    stop();
    gone();
  };
}
export default { render };
"""
    )

    def __init__(self, figure: Figure, **traits: Any):
        self._held = Shelf(text=_written(figure))
        library = Library.one().model_id or ""
        super().__init__(shelf=self._held.model_id or "", library=library, **traits)

    @property
    def shown(self) -> Figure:
        """The figure, as it reads in JSON."""
        return json.loads(self._held.text)

    @shown.setter
    def shown(self, figure: Figure) -> None:
        self._held.text = _written(figure)


def empty_figure(height: int) -> Chart:
    """A chart without anything in it yet."""
    return Chart({"data": [], "layout": {"height": height}})


def show_figure(widget: Chart, figure: Figure) -> None:
    """Put a figure into the widget in one message; a zoom stays."""
    widget.shown = figure


def _written(figure: Figure) -> str:
    return cast(str, to_json_plotly(figure))
