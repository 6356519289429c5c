"""Cellular automata, where a presumption of independence can be seen to fail, and be mended."""

from workbench.automata.mean_field import mean_field
from workbench.automata.packed import Packed
from workbench.automata.random_start import random_line, random_plane
from workbench.automata.rule import Elementary, LifeLike, Rule, parse

__all__ = [
    "Elementary", "LifeLike", "Packed", "Rule", "mean_field", "parse", "random_line",
    "random_plane",
]  # fmt: skip
