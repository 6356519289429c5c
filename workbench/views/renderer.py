"""Plotly's figures in a notebook: alive where a script can draw them, else as a picture."""

from typing import Any

import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

from workbench.views.svg import image

NAME = "workbench_still"


class _Still(MimetypeRenderer):
    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
        return {"text/html": image(fig_dict)}


def still_figures() -> None:
    """From now on `figure.show()` leaves a picture beside what plotly's own script draws."""
    pio.renderers[NAME] = _Still()
    pio.renderers.default = f"plotly_mimetype+{NAME}"
