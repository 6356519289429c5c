"""How much memory the covariances, or the bounds, of a wide network may take."""

import torch

from workbench.errors import Unsupported
from workbench.graph import Elementwise, Graph
from workbench.graph.rules import Affine, Identity

MOST = 2**32
"""Bytes."""
INSIDE = 4096
"""Values inside one operation: products of matrices and attention make one of every product."""
_COPIES = 6  # of its largest covariance that a propagation holds at once


def inside(graph: Graph, dim: int) -> tuple[int, str]:
    """The most values that enter an activation inside an operation, and where that stands."""
    each = zip(graph.widths(dim), graph.nodes, strict=True)
    found = [(w, n.name) for w, n in each if n.part and isinstance(n.op, Elementwise)]
    return max(found, default=(0, ""))


def for_covariances(graph: Graph, dim: int, dtype: torch.dtype) -> None:
    """Raises `Unsupported` where the covariance of a layer's values, n x n, takes too much."""
    count, name = inside(graph, dim)
    if count > INSIDE:
        raise Unsupported(
            f"covariances of {count:,} values inside {name!r}",
            f"up to {INSIDE:,} values inside an operation are propagated",
        )
    width, node = max(
        zip(graph.widths(dim)[1:], graph.nodes[1:], strict=True),
        key=lambda pair: pair[0],
        default=(0, None),
    )
    size = _COPIES * width**2 * dtype.itemsize
    if node is not None and size > MOST:
        raise Unsupported(
            f"a layer of {width:,} values, {node.name!r}",
            f"covariances between them would take {_gigabytes(size)}, more than the limit of "
            f"{_gigabytes(MOST)}",
        )


def for_matrices(graph: Graph, dim: int) -> None:
    """Raises `Unsupported` where the matrices of all affine layers, in float64, take too much."""
    widths = graph.widths(dim)
    size = 8 * sum(
        widths[i] * widths[j]
        for i, (node, rule) in enumerate(zip(graph.nodes[1:], graph.rules(dim), strict=True), 1)
        if isinstance(rule, Affine)
        for j, a in zip(node.inputs, rule.maps, strict=True)
        if not isinstance(a, Identity)
    )
    if size > MOST:
        raise Unsupported(
            f"layers of up to {max(widths):,} values",
            f"the matrices that bounds need would take {_gigabytes(size)}, more than the limit of "
            f"{_gigabytes(MOST)}",
        )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.0f} GB"
