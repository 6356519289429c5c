"""Where inputs come from."""

from workbench.distributions.base import (
    BoxSupport,
    Density,
    Distribution,
    Factor,
    Factored,
    Moments,
    Piece,
    Reparameterised,
    Sampleable,
)
from workbench.distributions.box import Box
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.distributions.variation import varied

ALL: tuple[type[Distribution], ...] = (Gaussian, Mixture, Box)
"""Every kind of distribution, as `workbench list distributions` shows them."""

__all__ = [
    "ALL", "Box", "BoxSupport", "Density", "Distribution", "Factor", "Factored", "Gaussian",
    "Mixture", "Moments", "Piece", "Reparameterised", "Sampleable", "varied",
]  # fmt: skip
