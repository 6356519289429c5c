"""Reads any `nn.Module` as a small graph of known operations.

`torch.fx` traces the module; every traced node must be one of the operations below, whose weights
are looked up live, so that a graph read once stays right while its module is trained.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput, Unsupported
from workbench.math import cost
from workbench.math.activations import ACTIVATIONS


@dataclass(frozen=True)
class Ref:
    """A tensor by its owner and its name there, so that the value is always the present one."""

    owner: nn.Module
    name: str

    @property
    def value(self) -> Tensor:
        return getattr(self.owner, self.name)


@dataclass(frozen=True)
class Input:
    """The input x."""


@dataclass(frozen=True)
class Linear:
    """y = W x + b, W `(out, in)`."""

    weight_ref: Ref
    bias_ref: Ref | None

    @property
    def weight(self) -> Tensor:
        return self.weight_ref.value

    @property
    def bias(self) -> Tensor | None:
        return None if self.bias_ref is None else self.bias_ref.value


@dataclass(frozen=True)
class Bias:
    """y = x + c, c `(n,)` or a scalar."""

    value_ref: Ref

    @property
    def value(self) -> Tensor:
        return self.value_ref.value


@dataclass(frozen=True)
class Elementwise:
    """y = f(x), f a row of `math.activations`."""

    activation: str


@dataclass(frozen=True)
class Flatten:
    """y = x, all but the batch axis made one."""


@dataclass(frozen=True)
class Add:
    """y = sum of its inputs (a residual sum)."""


Op = Input | Linear | Bias | Elementwise | Flatten | Add


@dataclass(frozen=True)
class Node:
    """One operation: where it stands in the module, what it does, which nodes feed it."""

    name: str
    op: Op
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Nodes in evaluation order; node 0 is the input, the last one the output."""

    nodes: tuple[Node, ...]

    def widths(self, input_dim: int) -> tuple[int, ...]:
        """Width of every node's value. Raises `BadInput` where two operations do not fit."""
        out: list[int] = []
        for node in self.nodes:
            got = [out[i] for i in node.inputs]
            out.append(_width(node, got, input_dim))
        return tuple(out)

    def forward_flops(self, input_dim: int) -> float:
        """Floating-point operations of one forward pass of one input."""
        widths = self.widths(input_dim)
        total = 0.0
        for node, width in zip(self.nodes, widths, strict=True):
            match node.op:
                case Linear():
                    total += cost.matmul(width, widths[node.inputs[0]], 1)
                case Bias() | Elementwise() | Add():
                    total += width
        return total

    def __repr__(self) -> str:
        rows = [
            f"  {i}: {n.name} = {type(n.op).__name__.lower()}({', '.join(map(str, n.inputs))})"
            for i, n in enumerate(self.nodes)
        ]
        return "Graph(\n" + "\n".join(rows) + "\n)"


def _width(node: Node, got: list[int], input_dim: int) -> int:
    match node.op:
        case Input():
            return input_dim
        case Linear() as op:
            rows, cols = op.weight.shape
            if got[0] != cols:
                raise BadInput(f"{node.name} takes {cols} inputs but is fed {got[0]}")
            return rows
        case Bias() as op:
            if tuple(op.value.shape) not in ((), (1,), (got[0],), (1, got[0])):
                raise BadInput(f"{node.name} adds {tuple(op.value.shape)} to {got[0]} values")
            return got[0]
        case Add():
            if len(set(got)) != 1:
                raise BadInput(f"{node.name} adds values of widths {got}")
            return got[0]
        case _:
            return got[0]


def evaluate(op: Op, inputs: Sequence[Tensor]) -> Tensor:
    """The value of one operation on batches `(batch, n)`."""
    match op:
        case Linear():
            return F.linear(inputs[0], op.weight, op.bias)
        case Bias():
            return inputs[0] + op.value
        case Elementwise():
            return ACTIVATIONS[op.activation](inputs[0])
        case Flatten():
            return inputs[0].flatten(1)
        case Add():
            total = inputs[0]
            for x in inputs[1:]:
                total = total + x
            return total
        case Input():
            return inputs[0]


def activations_of(graph: Graph, x: Tensor) -> list[Tensor]:
    """The value of every node on a batch `(batch, d)`, for comparing laws layer by layer."""
    values: list[Tensor] = []
    for node in graph.nodes:
        values.append(evaluate(node.op, [values[i] for i in node.inputs] or [x]))
    return values


_NEEDS = (
    "propagation reads Linear, bias, ReLU, GELU, tanh, Flatten, Identity, Dropout in eval mode, "
    "Sequential and residual sums"
)


def read(module: nn.Module) -> Graph:
    """The graph of a module.

    Raises:
        Unsupported: names the operation that is not known and where it stands.

    >>> import torch
    >>> g = read(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)))
    >>> [type(n.op).__name__ for n in g.nodes]
    ['Input', 'Linear', 'Elementwise', 'Linear']
    """
    if not isinstance(module, nn.Module):
        raise Unsupported(f"a model of type {type(module).__name__}", "a torch.nn.Module is needed")
    try:
        traced = torch.fx.Tracer().trace(module)
    except Exception as error:  # fx raises many types on data-dependent Python
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unsupported(
            f"{type(module).__name__} cannot be traced ({reason})",
            "its forward must not branch on the values of its input",
        ) from None
    return _Reader(module).read(traced)


class _Reader:
    """Turns traced nodes into operations, one method a kind of node."""

    def __init__(self, module: nn.Module):
        self.module = module
        self.nodes: list[Node] = []
        self.index: dict[torch.fx.Node, int] = {}

    def read(self, traced: torch.fx.Graph) -> Graph:
        keep = 0
        for node in traced.nodes:
            match node.op:
                case "placeholder":
                    if self.nodes:
                        raise Unsupported(
                            f"{type(self.module).__name__} takes several inputs",
                            "one input is needed",
                        )
                    self._put(node, Node("input", Input()))
                case "call_module":
                    self._call_module(node)
                case "call_function" | "call_method":
                    self._call_function(node)
                case "output":
                    result = node.args[0]
                    if not isinstance(result, torch.fx.Node) or result not in self.index:
                        raise Unsupported("a model that returns no single tensor", _NEEDS)
                    keep = self.index[result]
        return Graph(_used(tuple(self.nodes[: keep + 1])))

    def _put(self, traced: torch.fx.Node, node: Node) -> None:
        self.index[traced] = len(self.nodes)
        self.nodes.append(node)

    def _alias(self, traced: torch.fx.Node, source: torch.fx.Node) -> None:
        self.index[traced] = self.index[source]

    def _refuse(self, what: str, place: str) -> Unsupported:
        return Unsupported(f"operation {what} at {place!r}", _NEEDS)

    def _ref(self, target: str) -> Ref:
        *path, name = target.split(".")
        return Ref(self.module.get_submodule(".".join(path)), name)

    def _call_module(self, node: torch.fx.Node) -> None:
        place = str(node.target)
        module = self.module.get_submodule(place)
        source = node.args[0] if node.args else None
        if len(node.args) != 1 or node.kwargs or source not in self.index:
            raise self._refuse(type(module).__name__, place)
        feeds = (self.index[source],)
        match module:
            case nn.Linear():
                bias = None if module.bias is None else Ref(module, "bias")
                self._put(node, Node(place, Linear(Ref(module, "weight"), bias), feeds))
            case nn.ReLU():
                self._put(node, Node(place, Elementwise("relu"), feeds))
            case nn.GELU(approximate="none"):
                self._put(node, Node(place, Elementwise("gelu"), feeds))
            case nn.Tanh():
                self._put(node, Node(place, Elementwise("tanh"), feeds))
            case nn.Flatten(start_dim=1, end_dim=-1):
                self._put(node, Node(place, Flatten(), feeds))
            case nn.Identity():
                self._alias(node, source)
            case nn.Dropout() if not module.training:
                self._alias(node, source)
            case nn.Dropout():
                raise self._refuse("Dropout in training mode (call model.eval() first)", place)
            case nn.GELU():
                raise self._refuse(f"GELU(approximate={module.approximate!r})", place)
            case _:
                raise self._refuse(type(module).__name__, place)

    def _call_function(self, node: torch.fx.Node) -> None:
        name = node.target if isinstance(node.target, str) else node.target.__name__
        refusal = self._refuse(name, node.name)
        args = list(node.args)
        known = [a for a in args if isinstance(a, torch.fx.Node) and a in self.index]
        feeds = tuple(self.index[a] for a in known)
        if name in ("relu", "relu_", "gelu", "tanh"):
            if len(feeds) != 1 or node.kwargs.get("approximate", "none") != "none":
                raise refusal
            self._put(node, Node(node.name, Elementwise(name.rstrip("_")), feeds))
        elif node.target is F.linear:
            weight = self._parameter(_argument(node, 1, "weight"))
            bias = self._parameter(_argument(node, 2, "bias"))
            if len(feeds) != 1 or weight is None:
                raise refusal
            self._put(node, Node(node.name, Linear(weight, bias), feeds))
        elif name == "flatten":
            start, end = _argument(node, 1, "start_dim"), _argument(node, 2, "end_dim")
            if start != 1 or end not in (None, -1):
                raise refusal
            self._put(node, Node(node.name, Flatten(), feeds))
        elif node.target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            self._add(node, args, feeds, refusal)
        elif node.target is F.dropout and node.kwargs.get("training") is False:
            self._alias(node, known[0])
        else:
            raise refusal

    def _add(
        self, node: torch.fx.Node, args: list[Any], feeds: tuple[int, ...], no: Unsupported
    ) -> None:
        if len(args) != 2 or node.kwargs:
            raise no
        if len(feeds) == 2:
            self._put(node, Node(node.name, Add(), feeds))
            return
        constants = [self._parameter(a) for a in args]
        found = [c for c in constants if c is not None]
        if len(feeds) != 1 or len(found) != 1:
            raise no
        self._put(node, Node(node.name, Bias(found[0]), feeds))

    def _parameter(self, argument: Any) -> Ref | None:
        if isinstance(argument, torch.fx.Node) and argument.op == "get_attr":
            return self._ref(str(argument.target))
        return None


def _argument(node: torch.fx.Node, place: int, name: str) -> Any:
    return node.args[place] if len(node.args) > place else node.kwargs.get(name)


def _used(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Only the nodes that reach the output, renumbered."""
    alive = {len(nodes) - 1, 0}
    for i in range(len(nodes) - 1, -1, -1):
        if i in alive:
            alive.update(nodes[i].inputs)
    order = sorted(alive)
    new = {old: i for i, old in enumerate(order)}
    return tuple(
        Node(nodes[i].name, nodes[i].op, tuple(new[j] for j in nodes[i].inputs)) for i in order
    )
