"""The laboratories of the room, in the order of their tabs, and which of them is open."""

from collections.abc import Mapping
from typing import Any

import param

from workbench.errors import BadInput
from workbench.views.lab import Laboratory
from workbench.views.lab_anomalies import ANOMALIES
from workbench.views.lab_gliders import GLIDERS
from workbench.views.lab_students import STUDENTS
from workbench.views.lab_tiny import TINY
from workbench.views.link import take

ALL: tuple[Laboratory, ...] = (
    GLIDERS, ANOMALIES, TINY, STUDENTS,
)  # fmt: skip
"""One line each."""
LABORATORIES = {lab.name: lab for lab in ALL}


def find(name: str) -> Laboratory:
    """A laboratory by name. Raises `BadInput` for an unknown one."""
    if not isinstance(name, str) or name not in LABORATORIES:
        said = repr(name) if isinstance(name, str) else f"for a {type(name).__name__}"
        raise BadInput(f"there is no laboratory {said}; there are {', '.join(LABORATORIES)}")
    return LABORATORIES[name]


class Tabs(param.Parameterized):
    """Which tab is open."""

    in_url: Mapping[str, str] = {"tab": "lab"}
    """{parameter: its name in the link}; each laboratory has names of its own."""

    tab = param.Selector(
        objects={lab.title: lab.name for lab in ALL}, default=ALL[0].name,
        label="Laboratory", doc="Where the presumption of independence is put to work.",
    )  # fmt: skip

    def take(self, values: dict[str, Any]) -> str:
        """Take over what is sound of these values; a sentence about the rest, or ""."""
        return take(self, values, self.in_url)
