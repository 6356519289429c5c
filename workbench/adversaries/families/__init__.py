"""Families of adversaries: the ways in which D may differ from D0."""

from workbench.adversaries.families.base import Family, Parameters, at, flat
from workbench.adversaries.families.shifted import Shifted
from workbench.errors import BadInput

ALL: tuple[type[Family], ...] = (Shifted,)
"""Every family: the command line, the tests and the screens go by this tuple."""


def family(name: str) -> Family:
    """The family of that name, as it is usually set. Raises `BadInput` with the known names."""
    known = {cls.name: cls for cls in ALL}
    if name not in known:
        raise BadInput(f"no family is called {name!r}: use one of {', '.join(known)}")
    return known[name]()


__all__ = ["ALL", "Family", "Parameters", "Shifted", "at", "family", "flat"]
