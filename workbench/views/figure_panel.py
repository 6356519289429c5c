"""Plotly figures for Panel, filled from plain dicts.

Not Panel's own pane: that makes a checked `Figure` and a model for every trace of it at every
change, a quarter of what a slider's move cost the server.
"""

import json
from pathlib import Path
from typing import cast

import param
from panel.custom import JSComponent
from plotly.io._json import to_json_plotly

from workbench.views.style import Figure

SOURCE = Path(__file__).with_name("chart.js").read_text()


class Chart(JSComponent):
    """Shows `figure`, the JSON of `data` and `layout`."""

    figure = param.String('{"data": [], "layout": {}}', doc="What is drawn.")
    share = param.Number(0.0, doc="Of the window's height, which a figure takes if it is less.")
    _esm = (
        SOURCE
        + """
const loaded = async () => {
  while (!window.Plotly) await new Promise((resolve) => setTimeout(resolve, 20));
  return window.Plotly;
};
export function render({ model }) {
  const [place, draw, gone] = chart(loaded, model.share);
  model.on("figure", () => draw(model.figure));
  model.on("remove", gone);
  draw(model.figure);
  return place;
}
"""
    )

    @property
    def object(self) -> Figure:
        """The figure, as what was last put here reads in JSON; a zoom stays over a change."""
        return json.loads(self.figure)

    @object.setter
    def object(self, figure: Figure) -> None:
        self.figure = self.written(figure)

    @staticmethod
    def written(figure: Figure) -> str:
        """A figure as the JSON that the page draws."""
        return cast(str, to_json_plotly(figure))
