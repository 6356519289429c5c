"""Propagators push a piece of D through M's graph and leave the law of C's half-space margins."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.errors import NotConverged
from workbench.graph import Graph
from workbench.graph.rules import Affine, Dense, Linearised, Pointwise, Rule
from workbench.math.law import Law
from workbench.propagation import room
from workbench.propagation.scale import safe_std


class Carrier(ABC):
    """What is carried through the graph: moments of every value that is still needed.

    Values are numbered as the graph's nodes; `flops` counts the operations so far.
    """

    flops: float = 0.0
    knows_third: bool = False
    """Whether third cumulants are carried: None from `higher` then means that they are 0."""
    remainder: float | None = None
    """The greatest remainder of a covariance's series so far; see `Law`."""
    doubt: str = ""
    """Why what is carried should not be trusted, in one sentence; else empty."""

    def left_out(self, share: float) -> None:
        """Keep the greatest remainder."""
        self.remainder = max(self.remainder or 0.0, share)

    @abstractmethod
    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        """Value i = sum of maps of the inputs; keep its moments, jointly with the `live` values."""

    @abstractmethod
    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        """Value i = f(source), elementwise."""

    @abstractmethod
    def forget(self, live: set[int]) -> None:
        """Drop all values but `live`."""

    @abstractmethod
    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of value i, each `(*B, n)`; shared moments may lack the axes B."""

    @abstractmethod
    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        """Mean `(*B, n)` and covariance `(*B, n, n)` of value i, or `(n, n)` where shared."""

    def higher(self, i: int) -> tuple[Tensor | None, Tensor | None]:
        """Third and fourth cumulants of value i's coordinates, each `(*B, n)`, where carried."""
        return None, None


@dataclass(frozen=True)
class _Move:
    name: str
    inputs: tuple[int, ...]
    what: Rule


class Propagator(ABC):
    """Settings of a propagation; a subclass says what is carried."""

    name: ClassVar[str]
    covariances: ClassVar[bool] = True
    """Whether covariances between the values of a layer are carried."""

    @abstractmethod
    def start(self, piece: Piece) -> Carrier:
        """What is carried, at the input (value 0)."""

    @final
    def law(self, graph: Graph, piece: Piece, a: Tensor, b: Tensor) -> tuple[Law, float]:
        """The law of the margins a y + b (`a` `(r, k)`, `b` `(r,)`), and the operations it took.

        A last Linear of M and the margins make one linear map, propagated as one. A piece with
        leading axes gives a law with them: many propagations at once.

        Raises:
            NotConverged: where a mean or variance is no finite number; names the node.
            Unsupported: where covariances would take too much memory.
        """
        law, _, flops = self.law_and_scales(graph, piece, a, b)
        return law, flops

    @final
    def law_and_scales(
        self, graph: Graph, piece: Piece, a: Tensor, b: Tensor
    ) -> tuple[Law, dict[int, Tensor], float]:
        """`law`, with the standard deviation of every value on the way, by its node.

        Standard deviations are `(*B, n)`, or `(n,)` where shared; 0 is lifted to a tiny number.
        """
        self._check(graph, piece)
        moves = _moves(graph, piece)
        head = _Move("the spec", (len(graph.nodes) - 1,), Affine((Dense(a),), b))
        match moves[-1].what if moves else None:
            case Affine(maps=(Dense(matrix=matrix),), offset=offset):
                last = moves.pop()
                offset = b if offset is None else a @ offset + b
                head = _Move(last.name, last.inputs, Affine((Dense(a @ matrix),), offset))
        carrier = self.start(piece)
        scales = {0: safe_std(carrier.marginal(0)[1])}
        for i in _run(carrier, [*moves, head]):
            scales[i] = safe_std(carrier.marginal(i)[1])
        mean, cov = carrier.joint(len(moves) + 1)
        third, fourth = carrier.higher(len(moves) + 1)
        law = Law(
            mean, cov.expand(*mean.shape, mean.shape[-1]), third, fourth, carrier.knows_third,
            carrier.remainder, carrier.doubt,
        )  # fmt: skip
        return law, scales, carrier.flops

    @final
    def laws(self, graph: Graph, piece: Piece) -> list[tuple[Tensor, Tensor]]:
        """Mean and variance, each `(*B, n)`, of every node's value in order; shared ones lack B."""
        self._check(graph, piece)
        carrier = self.start(piece)
        start = carrier.marginal(0)
        return [start, *(carrier.marginal(i) for i in _run(carrier, _moves(graph, piece)))]

    def _check(self, graph: Graph, piece: Piece) -> None:
        if self.covariances:
            room.for_covariances(graph, piece.mean.shape[-1], piece.mean.dtype)


def _moves(graph: Graph, piece: Piece) -> list[_Move]:
    rules = graph.rules(piece.mean.shape[-1])
    return [_Move(n.name, n.inputs, r) for n, r in zip(graph.nodes[1:], rules, strict=True)]


def _run(carrier: Carrier, moves: list[_Move]) -> Iterator[int]:
    """Make values 1, 2, ... in turn, holding each only as long as a later one needs it."""
    for i, move in enumerate(moves, start=1):
        live = {j for later in moves[i:] for j in later.inputs if j < i}
        what = move.what
        if isinstance(what, Linearised):
            what = what.at(*carrier.joint(move.inputs[0]))
        if isinstance(what, Pointwise):
            carrier.pointwise(i, move.inputs[0], what, live)
        else:
            carrier.affine(i, move.inputs, what, live)
        carrier.forget(live | {i})
        mean, var = carrier.marginal(i)
        if not bool(torch.isfinite(mean + var).all()):
            raise NotConverged(
                f"propagation left a mean or variance at {move.name!r} that is not finite: "
                "the weights or the inputs are too large for this precision"
            )
        yield i
