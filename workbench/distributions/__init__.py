"""Where inputs come from."""

from workbench.distributions.accepted import AcceptedText
from workbench.distributions.base import (
    BoxSupport,
    Density,
    Distribution,
    Driven,
    Energy,
    Enumerable,
    Event,
    Factor,
    Factored,
    IndependentTokens,
    Moments,
    Piece,
    Recognised,
    Reparameterised,
    Sampleable,
    Sequences,
)
from workbench.distributions.box import Box
from workbench.distributions.by_context import ByContext
from workbench.distributions.discrete import Discrete
from workbench.distributions.gaussian import Gaussian
from workbench.distributions.gibbs import Gibbs
from workbench.distributions.mixture import Mixture
from workbench.distributions.prompted import PromptedText
from workbench.distributions.recognised import Conditional
from workbench.distributions.short_text import ShortText
from workbench.distributions.spin_glass import SpinGlass
from workbench.distributions.spin_network import SpinNetwork
from workbench.distributions.spins import Spins
from workbench.distributions.student_t import StudentT
from workbench.distributions.templates import template
from workbench.distributions.tokens import Tokens
from workbench.distributions.variation import base_of, tempered, varied
from workbench.distributions.widened import widened

ALL: tuple[type[Distribution], ...] = (
    Gaussian, Mixture, StudentT, Box, Discrete, Conditional, Gibbs, SpinGlass, SpinNetwork, Tokens,
    ShortText, PromptedText, AcceptedText,
)  # fmt: skip
"""Every kind of distribution, as `workbench list distributions` shows them."""

__all__ = [
    "ALL", "AcceptedText", "Box", "BoxSupport", "ByContext", "Conditional", "Density", "Discrete",
    "Distribution", "Driven", "Energy", "Enumerable", "Event", "Factor", "Factored", "Gaussian",
    "Gibbs", "IndependentTokens", "Mixture", "Moments", "Piece", "PromptedText", "Recognised",
    "Reparameterised", "Sampleable", "Sequences", "ShortText", "SpinGlass",
    "SpinNetwork", "Spins", "StudentT", "Tokens", "base_of", "tempered", "template", "varied",
    "widened",
]  # fmt: skip
