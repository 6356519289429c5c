"""From a module to its graph.

`torch.fx` traces the module; every traced step must be one of `operations`, whose weights are
looked up live, so that a graph read once stays right while its module is trained.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch.fx
from torch import nn
from torch.fx.node import map_arg

from workbench.errors import BadInput, Unsupported
from workbench.graph.base import Composite, Graph, Node, Op, Part, Several, Shape
from workbench.graph.call import (
    BatchSize,
    Call,
    Feed,
    Finals,
    Missing,
    Place,
    Ref,
    Zeros,
    function_name,
    leaves,
)
from workbench.graph.operations import ALL, OF_MORE, Input, Passing
from workbench.graph.operations.pick import Pick, pieces
from workbench.graph.operations.rearranging import is_int
from workbench.graph.time_first import TimeFirst, batch_first, exchanged, handed_on

NEEDS = "propagation reads " + ", ".join(op.about for op in ALL if op.about) + " and Sequential"


@dataclass(frozen=True)
class _ShapeOf:
    """Stands for `x.shape`: a `BatchSize`, and the other axes where they are known."""

    sizes: tuple[Any, ...]


def read(module: nn.Module, dim: int | None = None) -> Graph:
    """The graph of a module.

    Args:
        dim: length of its input, which some operations must know: a softmax, products of matrices,
            code that asks for `x.shape[1]`.

    Raises:
        Unsupported: names the operation that is not known and where it stands.
        BadInput: where two operations do not fit.

    >>> import torch
    >>> g = read(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)))
    >>> [type(n.op).__name__ for n in g.nodes]
    ['Input', 'Linear', 'Elementwise', 'Linear']
    """
    if not isinstance(module, nn.Module):
        raise Unsupported(f"a model of type {type(module).__name__}", "a torch.nn.Module is needed")
    try:
        with _TRACING:
            traced = _traced(module)
    except Exception as error:  # fx raises many types on data-dependent Python
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unsupported(
            f"{type(module).__name__} cannot be traced ({reason})",
            "its forward must not branch on the values of its input",
        ) from None
    return _Reader(module, dim).read(traced)


_TRACING = threading.Lock()


def _traced(module: nn.Module) -> torch.fx.Graph:
    """First with buffers as the tensors that they are, which code may branch on; where that fails,
    with buffers as steps of their own, which code may cut to the length of its input."""
    try:
        return _Tracer(False).trace(module)
    except Exception as error:
        try:
            return _Tracer(True).trace(module)
        except Exception:
            raise error from None


class _Tracer(torch.fx.Tracer):
    """Leaves other threads alone: fx patches `nn.Module` itself while it traces."""

    def __init__(self, buffers: bool) -> None:
        super().__init__()
        self.proxy_buffer_attributes = buffers
        self.thread = threading.get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if threading.get_ident() != self.thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self.thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


class _Reader:
    """Turns traced steps into nodes."""

    def __init__(self, module: nn.Module, dim: int | None):
        self.module, self.dim = module, dim
        self.shapes: list[Shape | None] = []
        self.nodes: list[Node] = []
        self.known: dict[torch.fx.Node, Any] = {}

    def read(self, traced: torch.fx.Graph) -> Graph:
        for step in traced.nodes:
            match step.op:
                case "placeholder":
                    if self.nodes:
                        raise Unsupported(
                            f"{type(self.module).__name__} takes several inputs",
                            "one input is needed",
                        )
                    self.known[step] = self._put(Node("input", Input()))
                case "get_attr":
                    *path, name = str(step.target).split(".")
                    owner = self.module.get_submodule(".".join(path))
                    self.known[step] = Ref(owner, name)
                case "call_module" | "call_function" | "call_method":
                    self.known[step] = self._result(self._call(step))
                case "output":
                    result = self.known.get(step.args[0])
                    if type(result) is Feed:
                        return Graph(_used(tuple(self.nodes[: result.index + 1])))
        raise Unsupported("a model that returns no single tensor", NEEDS)

    def _put(self, node: Node) -> Feed:
        made: Shape | None = None if self.dim is None else (self.dim,)
        if self.nodes:
            with _named(node.name):
                taken = [s for s in self._shapes(node.inputs) if s is not None]
                made = node.op.shape(*taken) if len(taken) == len(node.inputs) else None
        self.nodes.append(node)
        self.shapes.append(made)
        return Feed(len(self.nodes) - 1)

    def _shapes(self, values: tuple[int, ...]) -> list[Shape | None]:
        return [self.shapes[i] for i in values]

    def _put_steps(self, place: str, whole: Composite, sources: tuple[int, ...]) -> Feed:
        given = self.nodes[sources[0]]
        if given.part is None and whole.before(given.op):
            feed = self._put_steps(place, whole, given.inputs)
            return self._put(replace(given, inputs=(feed.index,)))
        with _named(place):
            steps = whole.steps(*self._shapes(sources))
        values = list(sources)
        for k, (op, inputs) in enumerate(steps, start=1):
            assert isinstance(op, Op)
            part = None if whole.spelled else Part(whole, sources, k == len(steps))
            feed = self._put(Node(place, op, tuple(values[i] for i in inputs), part))
            values.append(feed.index)
        return Feed(values[-1])

    def _put_all(self, call: Call, made: Several) -> Feed:
        values = list(call.feeds)
        for op, inputs in made.steps:
            fed = tuple(values[i] for i in inputs)
            if isinstance(op, Composite):
                values.append(self._put_steps(call.place, op, fed).index)
            else:
                values.append(self._put(Node(call.place, op, fed)).index)
        return Feed(values[-1])

    def _result(self, call: Call) -> Any:
        """What a traced call gives: a new node, or one that it hands on."""
        swapped = exchanged(call)
        if swapped is not None:
            return swapped
        if any(isinstance(a, TimeFirst) for a in (*call.args, *call.kwargs.values())):
            call, stays = batch_first(call)
            made = self._result(call)
            return handed_on(made) if stays else made
        lost = next(leaves((call.args, call.kwargs), Missing), None)
        if lost is not None and call.name not in ("getitem", "getattr"):
            raise call.refuse(f"{call.what} of {lost.what}")
        size = self._size(call)
        if size is not None:
            return size
        other = call.computed or pieces(call)
        if other is not None:
            return other
        plain = len(call.args) == 1 and not call.kwargs and call.feeds
        if call.module is not None and not plain and not isinstance(call.module, OF_MORE):
            raise call.refuse()
        for cls in ALL:
            op = cls.read(call)
            if type(op) is Passing:
                return Feed(call.feeds[0])
            if isinstance(op, Composite):
                return op.results(call, self._put_steps(call.place, op, call.feeds))
            if isinstance(op, Several):
                return self._put_all(call, op)
            if op is not None:
                return self._put(Node(call.place, op, call.feeds))
        raise call.refuse()

    def _call(self, step: torch.fx.Node) -> Call:
        is_module = step.op == "call_module"
        place = str(step.target) if is_module else step.name
        module = self.module.get_submodule(place) if is_module else None
        args = map_arg(step.args, lambda n: self.known[n])
        kwargs = map_arg(step.kwargs, lambda n: self.known[n])
        name = "" if is_module else function_name(step.target)
        target = module if module is not None else step.target
        return Call(name, module, tuple(args), dict(kwargs), place, NEEDS, target)

    def _size(self, call: Call) -> Any:
        """What is known of shapes, of numbers made of them, of results in a tuple; else None."""
        first, second, *_ = (*call.args, None, None)
        axis = call.argument(1, "dim")
        match call.name:
            case "size" | "shape" if call.feeds:
                sizes = self._sizes(call.feeds[0])
                return _ShapeOf(sizes) if axis is None else _entry(sizes, axis)
            case "getattr" if type(first) is Feed and second == "shape":
                return _ShapeOf(self._sizes(first.index))
            case "getattr" if type(first) is Feed and second in ("device", "dtype"):
                return Place()
            case "zeros" | "new_zeros" if list(leaves((call.args, call.kwargs), BatchSize)):
                return Zeros()
            case "to" | "double" | "float" | "requires_grad" if isinstance(first, Zeros):
                return first
            case "getitem" | "squeeze" if isinstance(first, Finals):
                return self._final(call, first)
            case "getattr" if type(first) is Feed and second == "ndim":
                return _counted(self._sizes(first.index))
            case "dim" | "ndimension" if call.feeds:
                return _counted(self._sizes(call.feeds[0]))
            case "getitem" if isinstance(first, _ShapeOf):
                return _entry(first.sizes, second)
            case "getitem" if isinstance(first, tuple) and isinstance(second, int):
                return first[second]
            case "getattr" if isinstance(first, tuple) and second == "values":
                return first[0]
        plain = call.args and all(isinstance(a, int | float) for a in call.args)
        home = getattr(call.target, "__module__", "")
        if plain and not call.kwargs and home in ("_operator", "math", "builtins"):
            return call.target(*call.args)
        return None

    def _final(self, call: Call, states: Finals) -> Feed:
        """One of the last states of a recurrent layer."""
        which = call.argument(1, "dim")
        alone = states.layers == 1 and not states.both
        if call.name == "squeeze":
            which = 0 if alone and which in (0, None) else None
        index = states.index(which) if isinstance(which, int) else None
        if index is None:
            raise call.refuse(f"{call.what} of states other than the last layer's, one at a time")
        return self._put(Node(call.place, Pick(index), (states.sequence.index,)))

    def _sizes(self, value: int) -> tuple[Any, ...]:
        shape = self.shapes[value]
        return (BatchSize(),) if shape is None else (BatchSize(), *shape)


def _entry(sizes: tuple[Any, ...], which: Any) -> Any:
    """Entries of a shape; None where they are not known."""
    if len(sizes) == 1 and which != 0:
        return None
    inside = is_int(which) and -len(sizes) <= which < len(sizes)
    return sizes[which] if inside or isinstance(which, slice) else None


def _counted(sizes: tuple[Any, ...]) -> int | None:
    return None if len(sizes) == 1 else len(sizes)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Says where two operations do not fit."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{place} {error}") from None
    except Unsupported as error:
        if "at '" in str(error):
            raise
        raise Unsupported(f"{error.what} at {place!r}", error.needs) from None


def _used(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Only the nodes that reach the output, renumbered."""
    alive = {len(nodes) - 1, 0}
    for i in range(len(nodes) - 1, -1, -1):
        if i in alive:
            alive.update(nodes[i].inputs)
    order = sorted(alive)
    new = {old: i for i, old in enumerate(order)}
    found = []
    for i in order:
        node = nodes[i]
        part = node.part
        if part is not None:
            part = replace(part, sources=tuple(new[j] for j in part.sources))
        found.append(replace(node, inputs=tuple(new[j] for j in node.inputs), part=part))
    return tuple(found)
