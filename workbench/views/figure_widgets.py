"""Plotly figures as widgets, filled from plain dicts.

Not plotly's own `FigureWidget`: that sends what changes as messages, which a page misses whose
scripts are still loading, and brings its five megabytes of script once for every figure.
"""

import json
from pathlib import Path
from typing import cast

import anywidget
import ipywidgets as w
import plotly
import traitlets
from plotly.io._json import to_json_plotly

from workbench.views.style import Figure

SOURCE = Path(__file__).with_name("chart.js").read_text()


class Library(w.Widget):
    """The script that draws; one serves all charts of a kernel."""

    _model_name = traitlets.Unicode("WidgetModel").tag(sync=True)
    _model_module = traitlets.Unicode("@jupyter-widgets/base").tag(sync=True)
    _model_module_version = traitlets.Unicode("2.0.0").tag(sync=True)
    source = traitlets.Unicode("").tag(sync=True)

    _one: "Library | None" = None

    @classmethod
    def one(cls) -> "Library":
        """The one there is; another where somebody has closed it."""
        if cls._one is None or cls._one.comm is None:
            script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
            cls._one = cls(source=script.read_text())
        return cls._one


class Chart(anywidget.AnyWidget):
    """Shows `figure`, the JSON of `data` and `layout`."""

    figure = traitlets.Unicode('{"data": [], "layout": {}}').tag(sync=True)
    library = traitlets.Unicode("").tag(sync=True)
    _esm = (
        SOURCE
        + """
async function load(model) {
  const shelf = await model.widget_manager.get_model(model.get("library"));
  const text =
    `const module = { exports: {} };\\n${shelf.get("source")}\\nexport default module.exports;`;
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
function render({ model, el }) {
  const [place, draw, gone] = chart(() => shared(model));
  el.append(place);
  const change = () => draw(model.get("figure"));
  model.on("change:figure", change);
  change();
  return () => {
    model.off("change:figure", change);
    gone();
  };
}
export default { render };
"""
    )

    @property
    def shown(self) -> Figure:
        """The figure, as what `show_figure` was given reads in JSON."""
        return json.loads(self.figure)


def empty_figure(height: int) -> Chart:
    """A chart without anything in it yet."""
    figure = json.dumps({"data": [], "layout": {"height": height}})
    return Chart(figure=figure, library=Library.one().model_id or "")


def show_figure(widget: Chart, figure: Figure) -> None:
    """Put a figure into the widget in one message; a zoom stays."""
    widget.figure = cast(str, to_json_plotly(figure))
