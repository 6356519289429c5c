"""Operations, and the graphs that they make."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from workbench.errors import BadInput
from workbench.graph.call import Call, Feed
from workbench.graph.rules import Rule

Shape = tuple[int, ...]
"""Shape of one value, without the batch axis."""


class Op(ABC):
    """One kind of operation; an instance is one place where it stands.

    A subclass is all that the workbench knows of the operation: how it stands in traced code, the
    shape that it makes, its value, its cost, and its rule for propagators.
    """

    about: ClassVar[str]
    """Its name in the sentence that lists what propagation reads; empty where none is needed."""

    @classmethod
    @abstractmethod
    def read(cls, call: Call) -> "Op | Several | None":
        """This operation, where the traced call is one; None where it is another's.

        `Several` where the call is this operation and others in a row.

        Raises:
            Unsupported: where it is this operation in a form that is not known (`call.refuse`).
        """

    @abstractmethod
    def shape(self, *inputs: Shape) -> Shape:
        """Shape of the value. Raises `BadInput` where the inputs do not fit, as "takes ..."."""

    @abstractmethod
    def __call__(self, *inputs: Tensor) -> Tensor:
        """The value on batches `(batch, *shape)`."""

    @abstractmethod
    def flops(self, *inputs: Shape) -> float:
        """Floating-point operations of one forward pass of one input."""

    @abstractmethod
    def rule(self, *inputs: Shape) -> Rule:
        """What it does to flattened values, as propagators see it."""


Step = tuple["Op | Composite", tuple[int, ...]]
"""An operation, and the values that it takes: first what is fed, then what the steps make."""


@dataclass(frozen=True)
class Several:
    """Operations that one call makes, each of which stands in graphs and on cards by itself.

    Their steps take first what the call is fed, in order, then what the steps before them make.
    """

    steps: tuple[Step, ...]


class Composite(ABC):
    """An operation that is read as several others, whose rules are all that propagators need."""

    about: ClassVar[str]
    spelled: ClassVar[bool] = False
    """Whether each of these stands in graphs and on cards by itself, as those of `Several`."""

    @classmethod
    @abstractmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        """As `Op.read`."""

    @staticmethod
    def before(op: Op) -> bool:
        """Whether it comes before this operation, where code has it after, with equal values.

        Never of an operation that takes several values.
        """
        return False

    @abstractmethod
    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        """The others, in order; the last one makes the value.

        Args:
            shapes: of what it takes, None where the reader does not know them.

        Raises:
            Unsupported: where it must know.
            BadInput: where they do not fit, as `Op.shape`.
        """

    def results(self, call: Call, value: Feed) -> Any:
        """What code has of the call that was read: the value, or a tuple with it."""
        return value


@dataclass(frozen=True)
class Part:
    """Of which operation a node is a step, the nodes that feed that one, whether it is the last."""

    whole: Composite
    sources: tuple[int, ...]
    last: bool


@dataclass(frozen=True)
class Node:
    """One operation: where it stands in the module, what it does, which nodes feed it."""

    name: str
    op: Op
    inputs: tuple[int, ...] = ()
    part: Part | None = None


@dataclass(frozen=True)
class Graph:
    """Nodes in evaluation order; node 0 is the input, the last one the output."""

    nodes: tuple[Node, ...]

    def shapes(self, input_dim: int) -> tuple[Shape, ...]:
        """Shape of every node's value. Raises `BadInput` where two operations do not fit."""
        out: list[Shape] = [(input_dim,)]
        for node in self.nodes[1:]:
            try:
                out.append(node.op.shape(*(out[i] for i in node.inputs)))
            except BadInput as error:
                raise BadInput(f"{node.name} {error}") from None
        return tuple(out)

    def widths(self, input_dim: int) -> tuple[int, ...]:
        """Length of every node's value. Raises `BadInput` where two operations do not fit."""
        return tuple(math.prod(shape) for shape in self.shapes(input_dim))

    def rules(self, input_dim: int) -> list[Rule]:
        """The rules of nodes 1, 2, ..., on flattened values."""
        shapes = self.shapes(input_dim)
        return [node.op.rule(*(shapes[i] for i in node.inputs)) for node in self.nodes[1:]]

    def forward_flops(self, input_dim: int) -> float:
        """Floating-point operations of one forward pass of one input."""
        shapes = self.shapes(input_dim)
        return sum(n.op.flops(*(shapes[i] for i in n.inputs)) for n in self.nodes[1:])

    def __repr__(self) -> str:
        rows = [
            f"  {i}: {n.name} = {type(n.op).__name__.lower()}({', '.join(map(str, n.inputs))})"
            for i, n in enumerate(self.nodes)
        ]
        return "Graph(\n" + "\n".join(rows) + "\n)"


def activations_of(graph: Graph, x: Tensor) -> list[Tensor]:
    """The value of every node on a batch `(batch, d)`, each flattened to `(batch, n)`.

    For comparing laws layer by layer.
    """
    values: list[Tensor] = [x]
    for node in graph.nodes[1:]:
        values.append(node.op(*(values[i] for i in node.inputs)))
    return [v.reshape(len(v), -1) for v in values]
