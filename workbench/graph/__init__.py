"""Reads any `nn.Module` as a small graph of known operations."""

from workbench.graph.base import Composite, Graph, Node, Op, Several, Shape, activations_of
from workbench.graph.call import Computed, Constant, Ref
from workbench.graph.operations import (
    AdaptivePool,
    Add,
    AvgPool,
    Axes,
    BatchNorm,
    Bias,
    Cat,
    Convolution,
    ConvolutionTranspose,
    Elementwise,
    Flatten,
    Flip,
    Input,
    LayerNorm,
    Linear,
    MaxPool,
    MeanOver,
    Packed,
    Pad,
    Passing,
    Permute,
    Pick,
    PReLU,
    Product,
    Reshape,
    Resize,
    Scale,
    Subtract,
    SumOver,
)
from workbench.graph.reader import read

__all__ = [
    "AdaptivePool", "Add", "AvgPool", "Axes", "BatchNorm", "Bias", "Cat", "Composite", "Computed",
    "Constant", "Convolution", "ConvolutionTranspose", "Elementwise", "Flatten", "Flip", "Graph",
    "Input", "LayerNorm", "Linear", "MaxPool", "MeanOver", "Node", "Op", "PReLU", "Packed", "Pad",
    "Passing", "Permute", "Pick", "Product", "Ref", "Reshape", "Resize", "Scale", "Several",
    "Shape", "Subtract", "SumOver", "activations_of", "read",
]  # fmt: skip
