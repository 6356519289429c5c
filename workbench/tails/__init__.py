"""How the law of a margin becomes log P."""

from workbench.tails.base import Tail
from workbench.tails.edgeworth import Edgeworth
from workbench.tails.gaussian import Gaussian
from workbench.tails.pearson3 import Pearson3
from workbench.tails.saddlepoint import Saddlepoint

ALL: tuple[type[Tail], ...] = (Gaussian, Edgeworth, Pearson3, Saddlepoint)
"""Every tail, as `workbench list tails` shows them."""

__all__ = ["ALL", "Edgeworth", "Gaussian", "Pearson3", "Saddlepoint", "Tail"]
