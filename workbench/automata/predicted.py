"""Densities foretold from a random first generation, by every presumption there is for a rule."""

from collections.abc import Iterator
from typing import cast

from workbench.automata.blocks import CLOSURES, Blocks, Closure, forget
from workbench.automata.rule import LifeLike, Rule
from workbench.automata.segments import Segments
from workbench.errors import BadInput

ORDERS = (1, 2, 4, 8, 12)
"""Cells of the segments for elementary rules."""
_SIDE = {"cell": 2, "pair": 2, "2x2": 2, "3x3": 3}  # of the blocks that are carried


def presumptions(rule: Rule) -> tuple[str, ...]:
    """Their names: what is kept of a generation, all else being independent given it."""
    return CLOSURES if isinstance(rule, LifeLike) else tuple(f"{k} cells" for k in ORDERS)


def predicted(rule: Rule, density: float, name: str) -> Iterator[float]:
    """The densities of the generations 0, 1, ..., without end.

    Args:
        density: of the first generation, whose cells are independent, in [0, 1].
        name: one of `presumptions(rule)`.

    Raises:
        BadInput: for another name, or a density outside [0, 1].

    >>> from workbench.automata import parse
    >>> from itertools import islice
    >>> [round(p, 4) for p in islice(predicted(parse("B3/S23"), 0.3, "2x2"), 3)]
    [0.3, 0.3431, 0.2876]
    """
    if name not in presumptions(rule):
        known = ", ".join(presumptions(rule))
        raise BadInput(f"rule {rule} has the presumptions {known}; got {name!r}")
    if isinstance(rule, LifeLike):
        keep, measure = forget(cast(Closure, name)), Blocks.independent(density, _SIDE[name])
        yield measure.density
        while True:
            measure = keep(measure)
            yield measure.foretold(rule)
            measure = measure.image(rule)
    segments = Segments.independent(density, int(name.split()[0]))
    while True:
        yield segments.density
        segments = segments.image(rule)
