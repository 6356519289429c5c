"""Activation functions under a Gaussian input, one row each; `base` says what a row gives."""

from workbench.errors import Unsupported
from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.activations.gelu import GELU, owen_t
from workbench.math.activations.relu import ReLU
from workbench.math.activations.step import Heaviside, Sign
from workbench.math.activations.tanh import Tanh

ACTIVATIONS: dict[str, Activation] = {
    row.name: row for row in (ReLU(), GELU(), Tanh(), Heaviside(), Sign())
}


def activation(name: str) -> Activation:
    """The row called `name`. Raises `Unsupported` with the known names."""
    if name not in ACTIVATIONS:
        raise Unsupported(f"activation {name!r}", f"known rows are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


__all__ = ["ACTIVATIONS", "Activation", "activation", "hermite_normalised", "owen_t"]
