"""Reads any `nn.Module` as a small graph of known operations."""

from workbench.graph.base import Composite, Graph, Node, Op, Several, Shape, activations_of
from workbench.graph.call import Computed, Constant, Ref
from workbench.graph.operations import (
    Add,
    AvgPool,
    Axes,
    BatchNorm,
    Bias,
    Cat,
    Convolution,
    Elementwise,
    Flatten,
    Flip,
    Input,
    LayerNorm,
    Linear,
    MaxPool,
    MeanOver,
    Packed,
    Passing,
    Permute,
    Pick,
    PReLU,
    Reshape,
    Scale,
    Subtract,
)
from workbench.graph.reader import read

__all__ = [
    "Add", "AvgPool", "Axes", "BatchNorm", "Bias", "Cat", "Composite", "Computed", "Constant",
    "Convolution", "Elementwise", "Flatten", "Flip", "Graph", "Input", "LayerNorm", "Linear",
    "MaxPool", "MeanOver", "Node", "Op", "PReLU", "Packed", "Passing", "Permute", "Pick", "Ref",
    "Reshape", "Scale", "Several", "Shape", "Subtract", "activations_of", "read",
]  # fmt: skip
