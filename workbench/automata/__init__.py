"""Cellular automata, where a presumption of independence can be seen to fail, and be mended."""

from workbench.automata.background import Background, background
from workbench.automata.blocks import CLOSURES, Blocks
from workbench.automata.census import Census
from workbench.automata.fate import Fate, fates, name_of
from workbench.automata.gliders import Defect, Glider, breaks, defects, gliders
from workbench.automata.mean_field import mean_field
from workbench.automata.packed import Packed
from workbench.automata.predicted import predicted, presumptions
from workbench.automata.random_start import random_line, random_plane
from workbench.automata.rule import Elementary, LifeLike, Rule, parse
from workbench.automata.segments import Segments
from workbench.automata.settled import Forecast, Settled, persistent, settle
from workbench.automata.surprise import Found, surprises

__all__ = [
    "CLOSURES", "Background", "Blocks", "Census", "Defect", "Elementary", "Fate", "Forecast",
    "Found", "Glider", "LifeLike", "Packed", "Rule", "Segments", "Settled", "background", "breaks",
    "defects", "fates", "gliders", "mean_field", "name_of", "parse", "persistent", "predicted",
    "presumptions", "random_line", "random_plane", "settle", "surprises",
]  # fmt: skip
