"""Cards of products of two values, and of what hides entries."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field
from torch import nn

from workbench import graph as graphs
from workbench.models import attending
from workbench.problem.nodes.base import Key, Making, Node, Writing


class MatrixProductCard(Node[graphs.MatrixProduct]):
    """Two values multiplied as matrices over their last two axes."""

    writes = (graphs.MatrixProduct,)

    op: Literal["matrix_product"] = "matrix_product"

    @classmethod
    def written(cls, op: graphs.MatrixProduct, at: Writing) -> Self:
        return cls(inputs=at.inputs)

    def made(self, at: Making) -> nn.Module:
        return attending.MatrixProduct()


class EinsumCard(Node[graphs.Einsum]):
    """Products of two values summed over axes; the first letter of each is the batch axis."""

    writes = (graphs.Einsum,)

    op: Literal["einsum"] = "einsum"
    equation: Annotated[str, Field(min_length=1, max_length=64)]

    @classmethod
    def written(cls, op: graphs.Einsum, at: Writing) -> Self:
        return cls(inputs=at.inputs, equation=op.equation)

    def made(self, at: Making) -> nn.Module:
        return attending.Einsum(graphs.checked(self.equation))


class MaskedCard(Node[graphs.Masked]):
    """x where `keep` is not 0, else `fill`; minus infinity where that is left out."""

    writes = (graphs.Masked,)

    op: Literal["masked"] = "masked"
    keep: Key
    fill: Key | None = None

    @classmethod
    def written(cls, op: graphs.Masked, at: Writing) -> Self:
        keep = at.put("keep", op.mask().to(torch.float32))
        return cls(inputs=at.inputs, keep=keep, fill=at.kept("fill", op.fill))

    def made(self, at: Making) -> nn.Module:
        return attending.Masked(at.get(self.keep) != 0.0, at.optional(self.fill), at.dtype)
