"""Specs that are networks: heads of one larger network, over which C is polyhedral."""

import copy
from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from workbench.errors import BadInput, Unsupported
from workbench.specs.base import Halfspaces, Polyhedral, Spec
from workbench.specs.boolean import And, Or
from workbench.specs.halfspace import Halfspace

Source = Literal["inputs", "outputs", "both"] | int


@dataclass(frozen=True, eq=False)
class Head(Spec, ABC):
    """A frozen network that reads what M computes; C is an event of its outputs.

    A problem binds it: M and its heads become one network (see `Joined`), so that whatever reads M
    as a graph reads the head too. Its word is not the truth: `false_alarms` and `misses` are its
    error rates on labelled data that it was not trained on. The opposite event exchanges the two;
    at another threshold neither is known.

    Args:
        false_alarms: share of held-out inputs without the trait on which it fires; None if unknown.
        misses: share of held-out inputs with the trait on which it does not.
        trained_on: how many labelled inputs it was trained on; 0 if unknown.
    """

    network: nn.Module
    event: Spec | None = None
    false_alarms: float | None = field(default=None, kw_only=True)
    misses: float | None = field(default=None, kw_only=True)
    trained_on: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        for what, rate in (("false alarms", self.false_alarms), ("misses", self.misses)):
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise BadInput(
                    f"the rate of {what} of a {self.name!r} spec must lie in [0, 1], got {rate!r}"
                )
        if not isinstance(self.network, nn.Module):
            raise BadInput(
                f"the network of a {self.name!r} spec must be a torch module, "
                f"got {type(self.network).__name__}"
            )
        if self.network.training or any(p.requires_grad for p in self.network.parameters()):
            frozen = copy.deepcopy(self.network).requires_grad_(False).eval()
            object.__setattr__(self, "network", frozen)
        if self.event is None:
            one = next(iter(self.network.parameters()), torch.zeros(0, dtype=torch.float64))
            object.__setattr__(self, "event", Halfspace(one.new_ones(1)))

    @property
    def inner(self) -> Spec:
        """The event of the network's own outputs."""
        assert self.event is not None
        return self.event

    @property
    def source(self) -> Source:
        """What it reads: x, y, both, or the value of the node of M's graph with this number."""
        return "both"

    @property
    def record(self) -> str:
        """How often it errs, in words; "" where nothing is known."""
        if self.false_alarms is None or self.misses is None:
            return ""
        return f"{self.false_alarms:.1%} false alarms, {self.misses:.1%} misses"

    def check(self, outputs: int) -> None:
        """Nothing can be said before the network is tried, which the problem does."""

    def shift(self, tau: float) -> "Head":
        kept = (self.false_alarms, self.misses) if tau == 0.0 else (None, None)
        event = self.inner.shift(tau)
        return replace(self, event=event, false_alarms=kept[0], misses=kept[1])

    def __invert__(self) -> "Head":
        fooled, missed = self.misses, self.false_alarms
        return replace(self, event=~self.inner, false_alarms=fooled, misses=missed)


@dataclass(frozen=True, eq=False)
class Trusted(Head):
    """A weak network that is trusted says so: C = {event of T(x, y)}, by default T(x, y) > 0.

    Args:
        network: T, from the concatenation of x and y `(batch, d + k)` to `(batch, m)`; a frozen
            copy is kept.
        event: a spec on the m outputs; by default the only output is positive.
        reads: "both" x and y, the "inputs" x alone, or the "outputs" y alone.
        false_alarms, misses, trained_on: see `Head`.
    """

    reads: Literal["both", "inputs", "outputs"] = "both"
    name: ClassVar[str] = "trusted"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reads not in ("both", "inputs", "outputs"):
            raise BadInput(
                f"a trusted network reads 'both', 'inputs' or 'outputs', got {self.reads!r}"
            )

    @property
    def source(self) -> Source:
        return self.reads

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        seen = {"both": lambda: torch.cat([x, y], 1), "inputs": lambda: x, "outputs": lambda: y}
        return self.inner.margin(x, self.network(seen[self.reads]()))


@dataclass(frozen=True, eq=False)
class Probe(Head):
    """A reporter trained on hidden activations of M says so: C = {event of R(h(x))}.

    Args:
        network: R, from the value h of one node of M's graph to `(batch, m)`; a frozen copy is
            kept.
        event: a spec on the m outputs; by default the only output is positive.
        layer: the number of the node of M's graph whose value it reads.
        false_alarms, misses, trained_on: see `Head`.
    """

    layer: int = 1
    name: ClassVar[str] = "probe"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.layer, bool) or not isinstance(self.layer, int) or self.layer < 0:
            raise BadInput(f"a probe's layer must be a whole number from 0, got {self.layer!r}")

    @property
    def source(self) -> Source:
        return self.layer

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        raise Unsupported(
            "a probe by itself", "it reads inside a model: make a problem of D, M and the probe"
        )


def heads_of(spec: Spec) -> Iterator[Head]:
    """The heads in a spec, in the order in which they stand."""
    if isinstance(spec, Head):
        yield spec
    elif isinstance(spec, And | Or):
        for part in spec.parts:
            yield from heads_of(part)


@dataclass(frozen=True, eq=False)
class Joined(Spec):
    """A spec with heads, over the outputs of M followed by those of every head.

    Args:
        stated: the spec as it was given.
        stops: where the outputs of M end, then those of every head.
    """

    stated: Spec
    stops: tuple[int, ...]
    name: ClassVar[str] = "joined"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.stated.name)

    def margin(self, x: Tensor, y: Tensor) -> Tensor:
        return self._fold(
            lambda spec, low, high: spec.margin(x, y[:, low:high]),
            lambda parts: torch.stack(parts, -1).amin(-1),
            lambda parts: torch.stack(parts, -1).amax(-1),
        )

    def _fold(self, leaf: Callable[[Spec, int, int], Any], both: Any, either: Any) -> Any:
        """The spec's tree, with a leaf seen at its own outputs low .. high - 1."""
        spans = iter(zip(self.stops, self.stops[1:], strict=False))

        def visit(spec: Spec) -> Any:
            if isinstance(spec, And | Or):
                parts = [visit(part) for part in spec.parts]
                return both(parts) if isinstance(spec, And) else either(parts)
            if isinstance(spec, Head):
                return leaf(spec.inner, *next(spans))
            return leaf(spec, 0, self.stops[0])

        return visit(self.stated)

    def check(self, outputs: int) -> None:
        if outputs != self.stops[-1]:
            raise BadInput(
                f"the spec and its heads are over {self.stops[-1]} outputs, the model has {outputs}"
            )
        self._fold(lambda spec, low, high: spec.check(high - low), lambda p: None, lambda p: None)

    def shift(self, tau: float) -> "Joined":
        return replace(self, stated=self.stated.shift(tau))

    def __invert__(self) -> "Joined":
        return replace(self, stated=~self.stated)

    def unbound(self) -> Spec:
        return self.stated


@dataclass(frozen=True, eq=False)
class JoinedPolyhedral(Joined, Polyhedral):
    """The same, where every leaf is polyhedral in its own outputs."""

    def halfspaces(self, outputs: int, like: Tensor) -> Halfspaces:
        def leaf(spec: Spec, low: int, high: int) -> Halfspaces:
            assert isinstance(spec, Polyhedral)
            own = spec.halfspaces(high - low, like)
            a = own.a.new_zeros(len(own.b), outputs)
            a[:, low:high] = own.a
            return Halfspaces(a, own.b, own.clauses)

        return self._fold(
            leaf,
            lambda parts: reduce(Halfspaces.intersection, parts),
            lambda parts: reduce(Halfspaces.union, parts),
        )


def join(stated: Spec, stops: tuple[int, ...]) -> Joined:
    """A spec with heads over all their outputs; polyhedral where its leaves are."""
    joined = Joined(stated, stops)
    kinds: list[bool] = []
    joined._fold(
        lambda spec, low, high: kinds.append(isinstance(spec, Polyhedral)),
        lambda parts: None,
        lambda parts: None,
    )
    return JoinedPolyhedral(stated, stops) if all(kinds) else joined
