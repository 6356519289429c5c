"""Cards of activations, and of what else is said by its name or a few numbers."""

from typing import Literal, Self

from pydantic import Field, FiniteFloat
from torch import nn

from workbench import graph as graphs
from workbench.errors import BadInput
from workbench.models import Difference, Maximum, Minimum, Multiply, Packed, Sum
from workbench.models.mlp import activation_module
from workbench.problem.nodes.base import Key, Making, Node, Writing

_NAMES: dict[type, str] = {
    graphs.Flatten: "flatten",
    graphs.Add: "add",
    graphs.Subtract: "subtract",
    graphs.Product: "multiply",
    graphs.Packed: "contiguous",
}
_MODULES: dict[str, type[nn.Module]] = {
    "flatten": nn.Flatten,
    "add": Sum,
    "subtract": Difference,
    "multiply": Multiply,
    "maximum": Maximum,
    "minimum": Minimum,
    "contiguous": Packed,
}
"""By their names; all other names are of activations."""


class PlainCard(Node[graphs.Op | graphs.Composite]):
    """An operation without weights."""

    writes = (graphs.Elementwise, graphs.Maximum, *_NAMES)

    op: Literal[
        "relu", "gelu", "tanh", "sigmoid", "silu", "selu", "mish", "tanh_gelu", "hardswish",
        "hardsigmoid", "softsign", "tanhshrink", "logsigmoid", "abs", "square", "sign",
        "heaviside", "exp", "sin", "cos", "flatten", "add", "subtract", "multiply", "maximum",
        "minimum", "contiguous",
    ]  # fmt: skip

    @classmethod
    def written(cls, op: graphs.Op | graphs.Composite, at: Writing) -> Self | None:
        if isinstance(op, graphs.Elementwise):
            if op.row.settings():
                return None
            name = op.row.name
        elif isinstance(op, graphs.Maximum):
            name = "minimum" if op.least else "maximum"
        else:
            name = _NAMES[type(op)]
        return cls.model_validate({"inputs": at.inputs, "op": name})

    def made(self, at: Making) -> nn.Module:
        if kind := _MODULES.get(self.op):
            return kind()
        return activation_module(self.op, at.dtype)


class SettingsCard(Node[graphs.Elementwise]):
    """An activation with settings, which are PyTorch's."""

    writes = (graphs.Elementwise,)

    op: Literal["leaky_relu", "elu", "celu", "softplus", "hardtanh", "softshrink", "clamp_min",
                "clamp_max", "pow"]  # fmt: skip
    settings: dict[str, FiniteFloat] = Field(
        description="negative_slope, alpha, beta and threshold, min_val and max_val, lambd, min, "
        "max, or exponent"
    )

    @classmethod
    def written(cls, op: graphs.Elementwise, at: Writing) -> Self | None:
        if not (settings := op.row.settings()):
            return None
        said = {"op": op.row.name, "settings": settings}
        return cls.model_validate({"inputs": at.inputs, **said})

    def made(self, at: Making) -> nn.Module:
        return activation_module(self.op, at.dtype, **self.settings)


class PReLUCard(Node[graphs.PReLU]):
    """y = x above 0, weight x below; one weight, or one for each entry of the first axis."""

    writes = (graphs.PReLU,)

    op: Literal["prelu"] = "prelu"
    weight: Key

    @classmethod
    def written(cls, op: graphs.PReLU, at: Writing) -> Self:
        return cls(inputs=at.inputs, weight=at.put("weight", op.weight.value))

    def made(self, at: Making) -> nn.Module:
        layer, weight = nn.PReLU(), at.get(self.weight)
        if weight.ndim != 1:
            raise BadInput(f"the weight of node {at.number} must be a vector, got {weight.shape}")
        layer.weight = nn.Parameter(weight)
        return layer
