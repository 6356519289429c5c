"""One file an operation: how it stands in code, its shape, its value, its cost, its rule."""

from torch import nn

from workbench.graph.base import Composite, Op
from workbench.graph.operations.attention import (
    Attention,
    EncoderLayer,
    MultiheadAttention,
)
from workbench.graph.operations.batch_norm import BatchNorm
from workbench.graph.operations.bias import Bias
from workbench.graph.operations.cat import Cat
from workbench.graph.operations.contraction import Einsum, MatrixProduct
from workbench.graph.operations.convolution import Convolution, ConvolutionTranspose
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.extremes import Greatest, Maximum
from workbench.graph.operations.gathered import Gathered
from workbench.graph.operations.linear import Linear
from workbench.graph.operations.masked import Masked
from workbench.graph.operations.max_pool import MaxPool
from workbench.graph.operations.norms import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Norm,
    RMSNorm,
    UnitLength,
)
from workbench.graph.operations.pad import Pad
from workbench.graph.operations.passing import Input, Packed, Passing
from workbench.graph.operations.permute import Flip, Permute
from workbench.graph.operations.pick import Pick
from workbench.graph.operations.pooling import AdaptivePool, AvgPool, MeanOver, SumOver
from workbench.graph.operations.prelu import PReLU
from workbench.graph.operations.products import Product
from workbench.graph.operations.recurrent import Recurrent
from workbench.graph.operations.reshape import Axes, Flatten, Reshape
from workbench.graph.operations.resize import Resize
from workbench.graph.operations.scale import Scale
from workbench.graph.operations.softmax import LogSoftmax, LogSumExp, Softmax
from workbench.graph.operations.sums import Add, Subtract

ALL: tuple[type[Op] | type[Composite], ...] = (
    Linear, Bias, Scale, Elementwise, Flatten, Axes, Reshape, Pick, Permute, Flip, Gathered,
    Cat,
    Convolution, ConvolutionTranspose, Pad, Resize, AvgPool, AdaptivePool, MeanOver, SumOver,
    BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm, UnitLength, Passing, Packed, Add,
    Subtract, MaxPool, PReLU, Product, Maximum, Greatest, Softmax, LogSoftmax, LogSumExp,
    MatrixProduct, Einsum, Masked, Attention, MultiheadAttention, EncoderLayer, Recurrent,
)  # fmt: skip
"""Every operation that is read; the first that claims a traced step has it."""

OF_PRODUCTS: tuple[type[Composite], ...] = (
    MatrixProduct,
    Einsum,
    Attention,
    MultiheadAttention,
    EncoderLayer,
)
"""Operations that sum up many products."""
OF_MORE: tuple[type[nn.Module], ...] = (
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerEncoder,
    nn.RNNBase,
)
"""Modules that take more than one value, or settings beside it."""

__all__ = [
    "ALL", "OF_MORE", "OF_PRODUCTS", "AdaptivePool", "Add", "Attention", "AvgPool", "Axes",
    "BatchNorm", "Bias", "Cat", "Convolution", "ConvolutionTranspose", "Einsum", "Elementwise",
    "EncoderLayer", "Flatten", "Flip", "Gathered", "Greatest", "GroupNorm", "Input", "InstanceNorm",
    "LayerNorm", "Linear", "LogSoftmax", "LogSumExp", "Masked", "MatrixProduct", "MaxPool",
    "Maximum", "MeanOver", "MultiheadAttention", "Norm", "PReLU", "Packed", "Pad", "Passing",
    "Permute", "Pick", "Product", "RMSNorm", "Recurrent", "Reshape", "Resize", "Scale", "Softmax",
    "Subtract", "SumOver", "UnitLength",
]  # fmt: skip
