"""Where inputs come from."""

from workbench.distributions.base import (
    BoxSupport,
    Density,
    Distribution,
    Energy,
    Enumerable,
    Event,
    Factor,
    Factored,
    Moments,
    Piece,
    Recognised,
    Reparameterised,
    Sampleable,
)
from workbench.distributions.box import Box
from workbench.distributions.discrete import Discrete
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.mixture import Mixture
from workbench.distributions.recognised import Conditional
from workbench.distributions.spin_glass import SpinGlass
from workbench.distributions.variation import varied
from workbench.distributions.widened import widened

ALL: tuple[type[Distribution], ...] = (Gaussian, Mixture, Box, Discrete, Conditional, SpinGlass)
"""Every kind of distribution, as `workbench list distributions` shows them."""

__all__ = [
    "ALL", "Box", "BoxSupport", "Conditional", "Density", "Discrete", "Distribution", "Energy",
    "Enumerable", "Event", "Factor", "Factored", "Gaussian", "Mixture", "Moments", "Piece",
    "Recognised", "Reparameterised", "Sampleable", "SpinGlass", "varied", "widened",
]  # fmt: skip
