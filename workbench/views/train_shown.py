"""A picture of what training changed, as HTML or as a figure."""

from typing import Any

from workbench.views.style import Figure
from workbench.views.train_crowd import Crowd, faces
from workbench.views.train_paths import Paths, paths
from workbench.views.train_pictures import Curve, Image, Plane, curve, gallery, plane
from workbench.views.train_prompts import Prompts, prompts_html


def shown(picture: Any, dark: bool, height: int) -> tuple[str, Figure | None]:
    """A picture as HTML or as a figure."""
    match picture:
        case Plane():
            return "", plane(picture, dark, height)
        case Paths():
            return "", paths(picture, dark, height)
        case Curve():
            return "", curve(picture, dark, height)
        case Crowd():
            return faces(picture), None
        case Prompts():
            return prompts_html(picture), None
        case [Image(), *_]:
            return gallery(picture), None
        case _:
            return "", None
