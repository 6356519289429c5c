"""Activation functions: y = f(x), f a row of `math.activations`."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Op, Shape
from workbench.graph.call import Call, Constant, Ref
from workbench.graph.rules import Pointwise, Rule
from workbench.math.activations import ACTIVATIONS, ALL, Activation, activation

_PARTIAL = {"log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"}
"""Functions that are infinite or nothing for some of what a Gaussian may be."""
CLAMPS = ("clamp", "clamp_min", "clamp_max")


@dataclass(frozen=True)
class Elementwise(Op):
    """y = f(x), f a row of `math.activations`."""

    row: Activation
    about: ClassVar[str] = "most activations"

    @property
    def activation(self) -> str:
        """The name of f."""
        return self.row.name

    @classmethod
    def read(cls, call: Call) -> Op | None:
        name, given = _of_module(call.module) if call.module else _of_function(call)
        if name in _PARTIAL and call.feeds:
            raise call.refuse(
                f"{name} of a value that depends on the input, which may be 0 or negative"
            )
        if name not in ACTIVATIONS:
            return None
        if name == "heaviside":
            at_zero = given.pop("values", None)
            if not isinstance(at_zero, Ref) or bool(at_zero.value.any()):
                raise call.refuse("heaviside that is not 0 at 0")
        if len(call.feeds) != 1:
            raise call.refuse()
        try:
            return cls(activation(name, **given))
        except BadInput as error:
            raise call.refuse(f"{call.what} ({error})") from None

    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.row(inputs[0])

    def flops(self, *inputs: Shape) -> float:
        return float(math.prod(inputs[0]))

    def rule(self, *inputs: Shape) -> Rule:
        return Pointwise(self.row)


def _of_module(module: nn.Module) -> tuple[str, dict[str, Any]]:
    """The name and the settings of the function that a module applies; "" for other modules."""
    match module:
        case nn.GELU(approximate="tanh"):
            return "tanh_gelu", {}
        case nn.RReLU(training=False):
            return "leaky_relu", {"negative_slope": 0.5 * (module.lower + module.upper)}
    for row in ALL:
        if row.torch_module is not None and isinstance(module, row.torch_module):
            return row.name, {k: getattr(module, k) for k in row.takes()}
    return "", {}


def _of_function(call: Call) -> tuple[str, dict[str, Any]]:
    """The same of a function or a method."""
    name = call.name
    if name in _PARTIAL:
        return name, {}
    if name in CLAMPS and any(isinstance(v, Constant) for v in clamped(call)):
        return "", {}  # a maximum or a minimum
    match name:
        case "gelu" if call.argument(1, "approximate", "none") == "tanh":
            return "tanh_gelu", {}
        case "heaviside":
            return name, {"values": call.argument(1, "values")}
        case "relu6":
            return "hardtanh", {"min_val": 0.0, "max_val": 6.0}
        case _ if name in CLAMPS:
            return _clamped(call, *clamped(call))
        case "pow" if call.argument(1, "exponent") == 2:
            return "square", {}
    if name not in ACTIVATIONS:
        return "", {}
    given = {k: call.argument(i, k) for i, k in enumerate(ACTIVATIONS[name].takes(), start=1)}
    return name, {k: _number(call, v) for k, v in given.items() if v is not None}


def clamped(call: Call) -> tuple[Any, Any]:
    """Between what one of `CLAMPS` holds a value."""
    match call.name:
        case "clamp_min":
            return call.argument(1, "min"), None
        case "clamp_max":
            return None, call.argument(1, "max")
    return call.argument(1, "min"), call.argument(2, "max")


def _clamped(call: Call, low: Any, high: Any) -> tuple[str, dict[str, Any]]:
    given = {k: _number(call, v) for k, v in (("min", low), ("max", high)) if v is not None}
    match given:
        case {"min": least, "max": most}:
            return "hardtanh", {"min_val": least, "max_val": most}
        case {"min": 0.0}:
            return "relu", {}
        case {"min": _}:
            return "clamp_min", given
        case {"max": _}:
            return "clamp_max", given
    raise call.refuse()


def _number(call: Call, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise call.refuse(f"{call.what} with a setting that is no number")
    return float(value)
