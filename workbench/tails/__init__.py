"""How the law of a margin becomes log P."""

from workbench.tails.base import Tail
from workbench.tails.gaussian import Gaussian

ALL: tuple[type[Tail], ...] = (Gaussian,)
"""Every tail, as `workbench list tails` shows them."""

__all__ = ["ALL", "Gaussian", "Tail"]
