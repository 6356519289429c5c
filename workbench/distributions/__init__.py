"""Where inputs come from."""

from workbench.distributions.base import (
    BoxSupport,
    Density,
    Distribution,
    Enumerable,
    Factor,
    Factored,
    Moments,
    Piece,
    Reparameterised,
    Sampleable,
)
from workbench.distributions.box import Box
from workbench.distributions.discrete import Discrete
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.distributions.variation import varied

ALL: tuple[type[Distribution], ...] = (Gaussian, Mixture, Box, Discrete)
"""Every kind of distribution, as `workbench list distributions` shows them."""

__all__ = [
    "ALL", "Box", "BoxSupport", "Density", "Discrete", "Distribution", "Enumerable", "Factor",
    "Factored", "Gaussian", "Mixture", "Moments", "Piece", "Reparameterised", "Sampleable",
    "varied",
]  # fmt: skip
