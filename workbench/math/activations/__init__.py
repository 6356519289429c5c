"""Activation functions under a Gaussian input, one row each; `base` says what a row gives."""

import math
from typing import Any

from workbench.errors import BadInput, Unsupported
from workbench.math.activations.analytic import (
    LogSigmoid,
    Mish,
    Power,
    Sigmoid,
    SiLU,
    Softplus,
    Square,
    Tanh,
    TanhGELU,
    Tanhshrink,
)
from workbench.math.activations.base import Activation, hermite_normalised
from workbench.math.activations.cornered import CELU, ELU, SELU, Hardswish, Softsign
from workbench.math.activations.gelu import GELU, owen_t
from workbench.math.activations.piecewise import (
    Abs,
    ClampMax,
    ClampMin,
    Hardsigmoid,
    Hardtanh,
    LeakyReLU,
    Softshrink,
)
from workbench.math.activations.relu import ReLU
from workbench.math.activations.step import Heaviside, Sign
from workbench.math.activations.waves import Cos, Exp, Sin

ALL: tuple[type[Activation], ...] = (
    ReLU, GELU, Tanh, Sigmoid, SiLU, LeakyReLU, ELU, SELU, CELU, Softplus, Mish, TanhGELU, Hardtanh,
    Hardswish, Hardsigmoid, Softsign, Softshrink, Tanhshrink, LogSigmoid, Abs, Square, Heaviside,
    Sign, ClampMin, ClampMax, Power, Exp, Sin, Cos,
)  # fmt: skip
"""Every activation that is known."""
ACTIVATIONS: dict[str, type[Activation]] = {row.name: row for row in ALL}


def activation(name: str, **settings: Any) -> Activation:
    """The row called `name`, with these settings.

    Raises:
        Unsupported: with the known names.
        BadInput: for settings that it does not have.
    """
    if name not in ACTIVATIONS:
        raise Unsupported(f"activation {name!r}", f"known rows are {', '.join(ACTIVATIONS)}")
    row = ACTIVATIONS[name]
    keys = row.takes()
    if not settings.keys() <= {*keys}:
        raise BadInput(
            f"{name} has {'the settings ' + ', '.join(keys) if keys else 'no settings'}, "
            f"got {', '.join(settings)}"
        )
    for key, value in settings.items():
        if not math.isfinite(value):
            raise BadInput(f"{name} needs a finite {key}, got {value!r}")
    return row(**settings)


__all__ = [
    "ACTIVATIONS", "ALL", "Activation", "Cos", "Exp", "Hardtanh", "Heaviside", "ReLU", "Sigmoid",
    "Sign", "Sin", "Softplus", "Square", "activation", "hermite_normalised", "owen_t",
]  # fmt: skip
