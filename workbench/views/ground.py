"""A ground of its own for what stands in a notebook, where that of the page is not known.

Dark or light, and unlike what a screen was told; in some editors widgets stand on white whatever
the theme. So a screen brings its ground, its ink, and the tones of its controls and tables, which
Jupyter's style sheets take from variables.
"""

from workbench.views.style import GROUNDS, TONES

_FROM_LIGHT_TO_DARK = {
    "layout-color0": ("#ffffff", "#1b1f24"),
    "layout-color1": ("#ffffff", "#23282f"),
    "layout-color2": ("#eeeeee", "#333a43"),
    "layout-color3": ("#bdbdbd", "#454d58"),
    "border-color1": ("#bdbdbd", "#5a6370"),
    "border-color2": ("#e0e0e0", "#454d58"),
    "ui-font-color0": ("#1b1f24", "#e4e7eb"),
    "ui-font-color1": ("#2b3036", "#e4e7eb"),
    "ui-font-color2": ("#565c64", "#c3c9d1"),
    "content-font-color1": ("#1b1f24", "#d6d9de"),
    "rendermime-table-row-background": ("transparent", "transparent"),
    "rendermime-table-row-hover-background": ("transparent", "transparent"),
    "widgets-color": ("#1b1f24", "#d6d9de"),
    "widgets-label-color": ("#1b1f24", "#d6d9de"),
    "widgets-readout-color": ("#1b1f24", "#d6d9de"),
    "widgets-input-color": ("#1b1f24", "#e4e7eb"),
    "widgets-input-background-color": ("#ffffff", "#23282f"),
    "widgets-input-border-color": ("#bdbdbd", "#5a6370"),
    "widgets-slider-handle-background-color": ("#ffffff", "#e4e7eb"),
}
"""What Jupyter calls a tone: (on a light ground, on a dark one)."""

CODE_CSS = "PLACE code { color: inherit; background: transparent; padding: 0; }"
"""Words in code on the ground of PLACE, not in the chips of the page's theme."""


def own(dark: bool) -> str:
    """CSS declarations: the ground, the ink, and every tone that a notebook could change."""
    tones = (f"--jp-{name}: {pair[dark]};" for name, pair in _FROM_LIGHT_TO_DARK.items())
    return f"{GROUNDS[dark]}; {TONES[dark]} {' '.join(tones)}"
