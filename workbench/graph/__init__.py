"""Reads any `nn.Module` as a small graph of known operations."""

from workbench.graph.base import Composite, Graph, Node, Op, Several, Shape, activations_of
from workbench.graph.call import Computed, Constant, Ref
from workbench.graph.operations import (
    Add,
    AvgPool,
    BatchNorm,
    Bias,
    Columns,
    Convolution,
    Elementwise,
    Flatten,
    Input,
    LayerNorm,
    Linear,
    MaxPool,
    MeanOver,
    Passing,
    Reshape,
    Scale,
    Subtract,
)
from workbench.graph.reader import read

__all__ = [
    "Add", "AvgPool", "BatchNorm", "Bias", "Columns", "Composite", "Computed", "Constant",
    "Convolution", "Elementwise", "Flatten", "Graph", "Input", "LayerNorm", "Linear", "MaxPool",
    "MeanOver", "Node", "Op", "Passing", "Ref", "Reshape", "Scale", "Several", "Shape", "Subtract",
    "activations_of", "read",
]  # fmt: skip
