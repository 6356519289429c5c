"""Operations as nodes of a card: one file a kind, what is said, how it is written and made."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.problem.nodes.activations import PlainCard, PReLUCard, SettingsCard
from workbench.problem.nodes.affine import BiasCard, LinearCard, MatmulCard, ScaleCard
from workbench.problem.nodes.attention import (
    AttentionCard,
    EncoderLayerCard,
    MultiheadAttentionCard,
)
from workbench.problem.nodes.base import Key, Making, Node, Strict, Writing
from workbench.problem.nodes.convolution import ConvolutionCard, ConvolutionTransposeCard
from workbench.problem.nodes.norms import (
    BatchNormCard,
    GroupNormCard,
    LayerNormCard,
    RMSNormCard,
    UnitLengthCard,
)
from workbench.problem.nodes.pooling import AdaptivePoolCard, AvgPoolCard, MaxPoolCard, MeanCard
from workbench.problem.nodes.products import EinsumCard, MaskedCard, MatrixProductCard
from workbench.problem.nodes.recurrent import RecurrentCard
from workbench.problem.nodes.softmax import GreatestCard, LogSumExpCard, SoftmaxCard
from workbench.problem.nodes.structure import (
    CatCard,
    FlipCard,
    PadCard,
    PermuteCard,
    PickCard,
    ReshapeCard,
    ResizeCard,
)

ALL: tuple[type[Node[Any]], ...] = (
    LinearCard, MatmulCard, BiasCard, ScaleCard, PlainCard, SettingsCard, PReLUCard, ReshapeCard,
    PickCard, PermuteCard, FlipCard, CatCard, ConvolutionCard, ConvolutionTransposeCard, PadCard,
    ResizeCard, AdaptivePoolCard, AvgPoolCard, MaxPoolCard, MeanCard, GreatestCard, SoftmaxCard,
    LogSumExpCard, MatrixProductCard, EinsumCard, MaskedCard, AttentionCard, MultiheadAttentionCard,
    EncoderLayerCard, RecurrentCard, LayerNormCard, RMSNormCard, GroupNormCard, UnitLengthCard,
    BatchNormCard,
)  # fmt: skip
"""Every card of an operation, in the order in which the schema has them."""

if TYPE_CHECKING:
    NODES = Node[Any]
else:
    NODES = reduce(or_, ALL)  # the union, of which `op` tells one from another


def written(
    op: graphs.Op | graphs.Composite,
    feeds: Sequence[int],
    shapes: Sequence[graphs.Shape],
    put: Callable[[str, Tensor], str],
) -> NODES | None:
    """The node that describes an operation; None where there is none.

    Args:
        op: the operation.
        feeds: the values that it takes, by number.
        shapes: of these values.
        put: keeps a tensor under the name of this part of the node; gives the name of the tensor.
    """
    at = Writing(list(feeds), shapes, put)
    cards = (card.written(op, at) for card in ALL if isinstance(op, card.writes))
    return next((card for card in cards if card is not None), None)


def made(i: int, node: NODES, get: Callable[[str], Tensor], dtype: torch.dtype) -> nn.Module:
    """The module that node i describes; `get` looks a tensor up.

    Raises:
        BadInput: where its tensors and sizes do not fit one another.
    """
    return node.made(Making(i, get, dtype))


__all__ = ["ALL", "NODES", "Key", "Node", "Strict", "made", "written"]
