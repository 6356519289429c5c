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
    GroupNorm,
    Input,
    InstanceNorm,
    LayerNorm,
    Linear,
    MaxPool,
    MeanOver,
    Norm,
    Packed,
    Pad,
    Passing,
    Permute,
    Pick,
    PReLU,
    Product,
    Reshape,
    Resize,
    RMSNorm,
    Scale,
    Subtract,
    SumOver,
    UnitLength,
)
from workbench.graph.reader import read

__all__ = [
    "AdaptivePool", "Add", "AvgPool", "Axes", "BatchNorm", "Bias", "Cat", "Composite", "Computed",
    "Constant", "Convolution", "ConvolutionTranspose", "Elementwise", "Flatten", "Flip", "Graph",
    "GroupNorm", "Input", "InstanceNorm", "LayerNorm", "Linear", "MaxPool", "MeanOver", "Node",
    "Norm", "Op", "PReLU", "Packed", "Pad", "Passing", "Permute", "Pick", "Product", "RMSNorm",
    "Ref", "Reshape", "Resize", "Scale", "Several", "Shape", "Subtract", "SumOver", "UnitLength",
    "activations_of", "read",
]  # fmt: skip
