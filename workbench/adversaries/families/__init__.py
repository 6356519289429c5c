"""Families of adversaries: the ways in which D may differ from D0."""

from workbench.adversaries.families.base import Family, Parameters, at, flat, no_points
from workbench.adversaries.families.box import Box
from workbench.adversaries.families.categorical import Categorical
from workbench.adversaries.families.fine_tuned import FineTuned
from workbench.adversaries.families.flow import Flow
from workbench.adversaries.families.generator import Generator
from workbench.adversaries.families.low_rank import LowRank
from workbench.adversaries.families.mixture import Mixture
from workbench.adversaries.families.per_context import PerContext
from workbench.adversaries.families.scaled import Scaled
from workbench.adversaries.families.shifted import Shifted
from workbench.errors import BadInput

ALL: tuple[type[Family], ...] = (
    Shifted, Scaled, LowRank, Mixture, PerContext, Box, Categorical, Flow, Generator, FineTuned,
)  # fmt: skip
"""Every family: the command line, the tests and the screens go by this tuple."""


def family(name: str) -> Family:
    """The family of that name, as it is usually set. Raises `BadInput` with the known names."""
    known = {cls.name: cls for cls in ALL}
    if name not in known:
        raise BadInput(f"no family is called {name!r}: use one of {', '.join(known)}")
    return known[name]()


__all__ = [
    "ALL", "Box", "Categorical", "Family", "FineTuned", "Flow", "Generator", "LowRank", "Mixture",
    "Parameters", "PerContext", "Scaled", "Shifted", "at", "family", "flat", "no_points",
]  # fmt: skip
